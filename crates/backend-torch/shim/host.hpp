// What this thread's run asks of the backend: memory, the log, the run's own context.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/CPUAllocator.h>
#include <torch/csrc/jit/runtime/print_handler.h>

#include "errors.hpp"

namespace redisai {

// Set once by `setup`, never cleared.
inline const rts_host *host = nullptr;

// The run that goes on on this thread.
struct Context {
  const uint8_t *stop = nullptr;
  uint64_t call_context = 0;
};
inline thread_local Context context;

inline bool stopped() {
  return context.stop != nullptr && __atomic_load_n(context.stop, __ATOMIC_ACQUIRE) != 0;
}

// Sets the context until it is dropped. Runs nest: a script's model runs on the script's thread.
class ContextGuard {
 public:
  explicit ContextGuard(Context now) : before_(context) { context = now; }
  ~ContextGuard() { context = before_; }
  ContextGuard(const ContextGuard &) = delete;
  ContextGuard &operator=(const ContextGuard &) = delete;

 private:
  Context before_;
};

inline void give_back(void *memory) { host->release(memory); }

// The host's memory for every tensor on the processor.
struct HostAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &give_back, c10::Device(c10::kCPU)};
    void *memory = host->allocate(bytes);
    TORCH_CHECK_WITH(OutOfMemoryError, memory != nullptr, host->refusal());
    return {memory, memory, &give_back, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }
  void copy_data(void *to, const void *from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

// Warnings go to the host's log instead of stderr. Torch keeps the handler for each thread.
struct HostWarnings final : c10::WarningHandler {
  void process(const c10::Warning &warning) override {
    host->log(1, warning.msg().data(), warning.msg().size());
  }
};
inline HostWarnings warnings;

inline void print_to_host(const std::string &text) { host->log(0, text.data(), text.size()); }

// OpenMP's number of threads is one for each thread that calls it; `at::set_num_threads` sets it for the
// first alone.
inline void use_threads() {
  static thread_local const bool set = (at::init_num_threads(), true);
  (void)set;
}

// Around whatever torch does for us.
struct Quiet {
  Quiet() { use_threads(); }
  c10::WarningUtils::WarningHandlerGuard warnings_to_host{&warnings};
  c10::InferenceMode inference{true};
};

}  // namespace redisai
