#pragma once

#include <ATen/Context.h>

namespace fusekit::runtime {

/// During its lifetime, random numbers may be drawn and seeds set: afterwards the caller's generator is as it was.
class SeedGuard {
 public:
  SeedGuard() : generator_(at::globalContext().defaultGenerator(at::kCPU)), state_(generator_.get_state()) {}
  ~SeedGuard() { generator_.set_state(state_); }
  SeedGuard(const SeedGuard&) = delete;
  SeedGuard& operator=(const SeedGuard&) = delete;

 private:
  at::Generator generator_;
  at::Tensor state_;
};

}  // namespace fusekit::runtime
