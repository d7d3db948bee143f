#include "bench/operator_observer.h"

namespace fusekit::bench {
namespace {

/// For the callbacks, which are plain functions.
thread_local OperatorObserver* observer_of_this_thread = nullptr;

std::unique_ptr<at::ObserverContext> at_begin(const at::RecordFunction& function) {
  if (observer_of_this_thread) observer_of_this_thread->enter(function);
  return nullptr;
}

void at_end(const at::RecordFunction& function, at::ObserverContext*) {
  if (observer_of_this_thread) observer_of_this_thread->leave(function);
}

}  // namespace

Observation::Observation(OperatorObserver& observer, Sees sees)
    : handle_(at::addThreadLocalCallback(at::RecordFunctionCallback(at_begin, at_end)
                                             .needsInputs(sees == Sees::tensors)
                                             .needsOutputs(sees == Sees::tensors)
                                             .scopes({at::RecordScope::FUNCTION}))) {
  observer_of_this_thread = &observer;
}

Observation::~Observation() {
  observer_of_this_thread = nullptr;
  at::removeCallback(handle_);
}

}  // namespace fusekit::bench
