# Warnings and sanitizers for our own code; generated code is built without the warnings.

add_library(pilothouse_warnings INTERFACE)
target_compile_options(pilothouse_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(pilothouse_warnings INTERFACE -Wthread-safety)
endif()

if(PILOTHOUSE_SANITIZER)
  # With sanitizers, GCC sees uninitialised variables where there are none.
  target_compile_options(pilothouse_warnings INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  add_compile_options(-fsanitize=${PILOTHOUSE_SANITIZER} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${PILOTHOUSE_SANITIZER})
  if(PILOTHOUSE_SANITIZER MATCHES "thread")
    include_directories(SYSTEM BEFORE ${CMAKE_SOURCE_DIR}/cmake/tsan)
  endif()
endif()

# pilothouse_library(NAME SOURCES… [LINK targets…]): a static library of this project. Includes are written from the
# repository's root ("trainer/net/network.h").
function(pilothouse_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${arg_LINK} PRIVATE pilothouse_warnings)
endfunction()
