#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "fusekit/bench.h"
#include "fusekit/error.h"

/// The messages between a parent and its worker processes: one JSON object per line, a request and its answer.
///   {"op":"start","threads":1,"engine":"auto","libraries":[],"run_limit":null,"max_memory":null} -> {}
///   {"op":"load","index":0,"padding":4096,"variant":{...}}     -> {"load_us":..,"first_us":..,"rss_kib":..}
///   {"op":"run","index":0,"lead_in":1,"runs":3}                -> {"run_us":[..],"wall_us":..}
///   {"op":"profile","seconds":1,"variant":{...}}               -> {"forward_us":..,"layers":[..]}
///   {"op":"usage"}                                             -> {"peak_rss_kib":..,"major_faults":..,...}
/// The answer to a request that fails is {"error":{"kind":..,"message":..,"hint":..}}.
namespace fusekit::bench {

/// A number that may be null.
template <typename T>
std::optional<T> optional_of(const nlohmann::json& request, const char* name) {
  return request.at(name).is_null() ? std::nullopt : std::optional<T>(request.at(name).get<T>());
}

nlohmann::json to_request(const Variant& variant);
Variant variant_of(const nlohmann::json& request);

nlohmann::json to_answer(const LoadFigures& figures);
LoadFigures load_figures_of(const nlohmann::json& answer);

nlohmann::json to_answer(const Times& times);
Times times_of(const nlohmann::json& answer);

nlohmann::json to_answer(const Profile& profile);
Profile profile_of(const nlohmann::json& answer);

nlohmann::json to_answer(const Usage& usage);
Usage usage_of(const nlohmann::json& answer);

nlohmann::json to_answer(const Error& error);
/// Throws the Error that the answer contains, if any.
void throw_if_error(const nlohmann::json& answer);

}  // namespace fusekit::bench
