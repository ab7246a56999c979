# The libraries everything is built from.

find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED) # module mode: the distribution ships no config file
find_package(gRPC CONFIG REQUIRED) # brings Abseil
find_package(Eigen3 CONFIG REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
if(PILOTHOUSE_BUILD_TESTS)
  find_package(GTest CONFIG REQUIRED)
  find_package(benchmark CONFIG REQUIRED)
  include(GoogleTest)
endif()

# Philox, the counter-based random number generator: headers only.
find_path(RANDOM123_INCLUDE_DIR Random123/philox.h REQUIRED)

# The .proto files of google.rpc come with the Python package googleapis-common-protos.
file(GLOB python_site_packages ${CMAKE_SOURCE_DIR}/build/venv/lib/python3*/site-packages)
find_path(GOOGLE_RPC_PROTO_DIR google/rpc/error_details.proto PATHS ${python_site_packages})
if(NOT GOOGLE_RPC_PROTO_DIR)
  message(FATAL_ERROR "google/rpc/error_details.proto was not found. Run deploy/install-dependencies, or set "
                      "GOOGLE_RPC_PROTO_DIR to a folder that holds it.")
endif()
