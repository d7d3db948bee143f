#pragma once

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <algorithm>

namespace fusekit::gate {

/// As long as this lives, LibTorch runs as on a phone: one thread, and the engine qnnpack, where this LibTorch has it.
class PhoneRuntime {
 public:
  PhoneRuntime() : threads_(at::get_num_threads()), engine_(at::globalContext().qEngine()) {
    at::set_num_threads(1);
    const auto& engines = at::globalContext().supportedQEngines();
    if (std::find(engines.begin(), engines.end(), at::kQNNPACK) != engines.end())
      at::globalContext().setQEngine(at::kQNNPACK);
  }
  ~PhoneRuntime() {
    at::set_num_threads(threads_);
    at::globalContext().setQEngine(engine_);
  }
  PhoneRuntime(const PhoneRuntime&) = delete;
  PhoneRuntime& operator=(const PhoneRuntime&) = delete;

 private:
  int threads_;
  at::QEngine engine_;
};

}  // namespace fusekit::gate
