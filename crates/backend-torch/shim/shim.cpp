// The table of functions.
#include <ATen/Parallel.h>
#include <caffe2/serialize/versions.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include "commands.hpp"
#include "division.hpp"
#include "package.hpp"
#include "script.hpp"

namespace {

using redisai::guarded;

int setup(const rts_setup *setup, rts_text *error) noexcept {
  return guarded(error, [&] {
    redisai::host = setup->host;
    static redisai::HostAllocator allocator;
    c10::SetCPUAllocator(&allocator, 255);
    torch::jit::setPrintHandler(redisai::print_to_host);
    at::set_num_threads(setup->intra_op_threads);
    try {
      at::set_num_interop_threads(setup->inter_op_threads);
    } catch (const c10::Error &) {
      // Whoever shares the process has set it or used these threads: the number stays.
    }
    redisai::add_stop_operator();
    redisai::add_server_operators();
    redisai::guard_divisions();
    for (size_t i = 0; i < setup->n_forbidden; i++) {
      const auto name = c10::Symbol::fromQualString(setup->forbidden[i]);
      // A copy: the list itself shrinks.
      const std::vector<std::shared_ptr<torch::jit::Operator>> found =
          torch::jit::getAllOperatorsFor(name);
      for (const auto &one : found) {
        torch::jit::deregisterOperator(one->schema());
      }
    }
    return RTS_OK;
  });
}

int cuda_devices(int *count, rts_text *error) noexcept {
  return guarded(error, [&] {
    *count = torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
    return RTS_OK;
  });
}

int load(rts_bytes archive, int cuda, rts_model **model, rts_text *error) noexcept {
  return guarded(error, [&] {
    *model = redisai::load(archive, cuda).release();
    return RTS_OK;
  });
}

int load_package(const char *path, int cuda, size_t n_inputs, size_t n_outputs, rts_model **model,
                 rts_text *error) noexcept {
  return guarded(error, [&] {
    *model = redisai::load_package(path, cuda, n_inputs, n_outputs).release();
    return RTS_OK;
  });
}

int compile(rts_bytes source, int cuda, const rts_bounds *bounds, rts_model **model,
            rts_text *error) noexcept {
  return guarded(error, [&] {
    *model = redisai::compile(source, cuda, *bounds).release();
    return RTS_OK;
  });
}

void describe(const rts_model *model, rts_description *description) noexcept {
  *description = model->described.get();
}

void drop_model(rts_model *model) noexcept {
  guarded(nullptr, [&] {
    redisai::Quiet quiet;
    delete model;
    return RTS_OK;
  });
}

int run(rts_model *model, const rts_run *run, rts_tensor *outputs, size_t capacity, size_t *count,
        rts_text *error) noexcept {
  return guarded(error,
                 [&] { return redisai::run(*model, *run, outputs, capacity, count); });
}

constexpr rts_table kTable = {
    sizeof(rts_table),
    TORCH_VERSION_MAJOR,
    TORCH_VERSION_MINOR,
    caffe2::serialize::kMaxSupportedFileFormatVersion,
    setup,
    cuda_devices,
    load,
    load_package,
    compile,
    describe,
    drop_model,
    run,
    redisai::drop_tensor,
};

}  // namespace

const rts_table *redisai_torch_shim(void) { return &kTable; }
