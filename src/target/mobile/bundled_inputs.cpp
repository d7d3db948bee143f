#include "target/mobile/bundled_inputs.h"

#include "fusekit/error.h"

namespace fusekit::target {

namespace {

constexpr const char* kAttribute = "_bundled_inputs_of_forward";

constexpr const char* kMethods = R"(
def get_all_bundled_inputs_for_forward(self):
    return self._bundled_inputs_of_forward

def get_all_bundled_inputs(self):
    return self._bundled_inputs_of_forward

def get_num_bundled_inputs(self):
    return len(self._bundled_inputs_of_forward)

def get_bundled_inputs_functions_and_info(self):
    return {"forward": {"get_inputs_function_name": ["get_all_bundled_inputs_for_forward"]}}
)";

}  // namespace

void bundle_inputs(torch::jit::Module& module, const inputs::Sample& sample) {
  if (module.find_method("get_all_bundled_inputs"))
    throw Error(ErrorKind::usage, "the network has bundled inputs already, which are kept",
                "leave WriteOptions::bundle out");
  if (sample.empty())
    throw Error(ErrorKind::usage, "forward takes no arguments: there is nothing to bundle",
                "leave WriteOptions::bundle out");
  std::vector<c10::TypePtr> types;
  for (const c10::IValue& value : sample) types.push_back(c10::unshapedType(value.type()));
  c10::impl::GenericList inputs(c10::TupleType::create(types));
  inputs.push_back(c10::ivalue::Tuple::create(std::vector<c10::IValue>(sample)));
  module.register_attribute(kAttribute, c10::ListType::create(inputs.elementType()), inputs);
  module.define(kMethods);
}

}  // namespace fusekit::target
