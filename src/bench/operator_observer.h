#pragma once

#include <ATen/record_function.h>

namespace fusekit::bench {

/// Is told of each operator that this thread calls, also of those that operators call.
class OperatorObserver {
 public:
  OperatorObserver() = default;
  OperatorObserver(const OperatorObserver&) = delete;
  OperatorObserver& operator=(const OperatorObserver&) = delete;
  virtual ~OperatorObserver() = default;
  virtual void enter(const at::RecordFunction& function) = 0;
  virtual void leave(const at::RecordFunction& function) = 0;
};

/// During its lifetime, the observer is told.
class Observation {
 public:
  enum class Sees { names, tensors };

  Observation(OperatorObserver& observer, Sees sees);
  Observation(const Observation&) = delete;
  Observation& operator=(const Observation&) = delete;
  ~Observation();

 private:
  at::CallbackHandle handle_;
};

}  // namespace fusekit::bench
