#include "trainer/kernels/kernels.h"

#include <array>
#include <atomic>
#include <string_view>
#include <type_traits>

#include "trainer/kernels/kernel_sets.h"

namespace pilothouse::trainer {
namespace {

struct Candidate {
  // Compiled for the processor that it is for: not to be called on others.
  KernelSet (*kernels)();
  bool runs_here;
};

// The fastest first.
std::array<Candidate, 3> Candidates() {
#if defined(__x86_64__)
  // Asks the operating system, too: it must save the registers.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
#else
  const bool avx2 = false;
  const bool avx512 = false;
#endif
  return {{{&Avx512Kernels, avx512}, {&Avx2Kernels, avx2}, {&PortableKernels, true}}};
}

template <typename T>
const Kernels<T>* Of(const KernelSet& set) {
  if constexpr (std::is_same_v<T, float>) {
    return set.of_float;
  } else {
    return set.of_double;
  }
}

// The first that runs here and has the name; an empty name is that of all.
template <typename T>
const Kernels<T>* First(std::string_view name) {
  for (const Candidate& candidate : Candidates()) {
    if (!candidate.runs_here) continue;
    const Kernels<T>* const kernels = Of<T>(candidate.kernels());
    if (name.empty() || name == kernels->name) return kernels;
  }
  return nullptr;
}

template <typename T>
std::atomic<const Kernels<T>*>& Used() {
  static std::atomic<const Kernels<T>*> used = First<T>("");
  return used;
}

}  // namespace

template <typename T>
const Kernels<T>& BestKernels() {
  return *Used<T>().load(std::memory_order_relaxed);
}

template <typename T>
const Kernels<T>* FindKernels(const char* name) {
  return First<T>(name);
}

bool UseKernels(const char* name) {
  const Kernels<float>* const of_float = First<float>(name);
  const Kernels<double>* const of_double = First<double>(name);
  if (of_float == nullptr || of_double == nullptr) return false;
  Used<float>().store(of_float, std::memory_order_relaxed);
  Used<double>().store(of_double, std::memory_order_relaxed);
  return true;
}

template const Kernels<float>& BestKernels();
template const Kernels<double>& BestKernels();
template const Kernels<float>* FindKernels(const char*);
template const Kernels<double>* FindKernels(const char*);

}  // namespace pilothouse::trainer
