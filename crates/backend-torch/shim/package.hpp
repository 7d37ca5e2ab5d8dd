// Packages of AOTInductor (`.pt2`): machine code, which torch's own loader unpacks and opens.
#pragma once

#include "model.hpp"

namespace redisai {

inline std::unique_ptr<rts_model> load_package(const char *path, int cuda, size_t n_inputs,
                                               size_t n_outputs) {
  Quiet quiet;
  auto model = std::make_unique<rts_model>();
  model->device = device_of(cuda);
  // "model" is the name that torch gives where none is given.
  model->package = std::make_unique<torch::inductor::AOTIModelPackageLoader>(
      path, "model", false, 1, model->device.index());
  model->described.add_package(n_inputs, n_outputs);
  return model;
}

}  // namespace redisai
