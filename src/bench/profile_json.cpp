// A profile as JSON, as a worker answers it and as a report has it; and back.
#include <array>

#include "bench/protocol.h"

namespace fusekit::bench {
namespace {

using nlohmann::json;

constexpr std::array kBounds = {std::pair{Bound::compute, "compute"}, std::pair{Bound::memory, "memory"},
                                std::pair{Bound::call, "call"}};

json to_object(Bound bound) {
  for (const auto& [value, name] : kBounds)
    if (value == bound) return name;
  return nullptr;
}

Bound bound_of(const json& object) {
  for (const auto& [value, name] : kBounds)
    if (object.value("bound", "") == name) return value;
  return Bound::memory;
}

json to_object(const LayerTime& layer, double forward_us) {
  json object = {{"us", layer.us},
                 {"share", forward_us > 0 ? layer.us / forward_us : 0},
                 {"calls", layer.calls},
                 {"flops", layer.flops},
                 {"bytes", layer.bytes},
                 {"gflops_per_second", layer.us > 0 ? 1e-3 * layer.flops / layer.us : 0},
                 {"gb_per_second", layer.us > 0 ? 1e-3 * layer.bytes / layer.us : 0},
                 {"dtype", layer.dtype},
                 {"attainable_us", layer.attainable_us ? json(*layer.attainable_us) : json()},
                 {"reached", layer.attainable_us && layer.us > 0 ? json(*layer.attainable_us / layer.us) : json()},
                 {"gain_us", layer.attainable_us ? json(layer.gain_us()) : json()},
                 {"bound", to_object(layer.bound)}};
  if (!layer.op.empty()) object["operator"] = layer.op;
  return object;
}

LayerTime layer_of(const json& object) {
  LayerTime layer{object.at("scope"), object.value("operator", ""), object.at("us"), object.at("calls")};
  layer.flops = object.value("flops", 0.0);
  layer.bytes = object.value("bytes", 0.0);
  layer.dtype = object.value("dtype", "");
  if (object.contains("attainable_us")) layer.attainable_us = optional_of<double>(object, "attainable_us");
  layer.bound = bound_of(object);
  return layer;
}

json to_object(const MachineSpeed& machine) {
  json bandwidth = json::array();
  for (const auto& [bytes, speed] : machine.bandwidth)
    bandwidth.push_back({{"bytes", bytes}, {"bytes_per_second", speed}});
  return {{"threads", machine.threads},
          {"flops_per_second", machine.flops_per_second},
          {"bandwidth", std::move(bandwidth)},
          {"call_us", machine.call_us},
          {"fault_us", machine.fault_us}};
}

MachineSpeed machine_of(const json& object) {
  MachineSpeed machine;
  machine.threads = object.at("threads");
  object.at("flops_per_second").get_to(machine.flops_per_second);
  for (const json& measured : object.at("bandwidth"))
    machine.bandwidth.push_back({measured.at("bytes"), measured.at("bytes_per_second")});
  machine.call_us = object.at("call_us");
  machine.fault_us = object.at("fault_us");
  return machine;
}

}  // namespace

json to_answer(const Profile& profile) {
  json layers = json::array();
  for (const LayerTime& layer : profile.layers) {
    layers.push_back(to_object(layer, profile.forward_us));
    layers.back()["scope"] = layer.scope;
  }
  json scopes = json::array();
  for (const LayerTime& sum : sum_by_scope(profile.layers)) {
    scopes.push_back(to_object(sum, profile.forward_us));
    scopes.back()["scope"] = sum.scope;
  }
  json operators = json::array();
  for (const LayerTime& sum : sum_by_operator(profile.layers)) operators.push_back(to_object(sum, profile.forward_us));
  return {{"label", profile.label},
          {"forward_us", profile.forward_us},
          {"plain_us", profile.plain_us},
          {"between_us", profile.between_us()},
          {"observer_us", profile.observer_us()},
          {"page_faults", profile.page_faults},
          {"page_faults_us", profile.page_faults * profile.machine.fault_us},
          {"machine", to_object(profile.machine)},
          {"next", next_bottlenecks(profile)},
          {"layers", std::move(layers)},
          {"modules", std::move(scopes)},
          {"operators", std::move(operators)}};
}

Profile profile_of(const json& answer) {
  Profile profile{.label = answer.at("label"), .forward_us = answer.at("forward_us")};
  profile.plain_us = answer.value("plain_us", 0.0);
  profile.page_faults = answer.value("page_faults", 0.0);
  if (answer.contains("machine")) profile.machine = machine_of(answer.at("machine"));
  for (const json& layer : answer.at("layers")) profile.layers.push_back(layer_of(layer));
  return profile;
}

}  // namespace fusekit::bench
