#include "fusekit/quantize_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "fusekit/error.h"

namespace fusekit {
namespace {

template <typename Kind>
struct Named {
  Kind kind;
  const char* name;
};

constexpr std::array kQconfigs = {
    Named<Qconfig>{Qconfig::automatic, "auto"}, Named<Qconfig>{Qconfig::qnnpack, "qnnpack"},
    Named<Qconfig>{Qconfig::x86, "x86"},        Named<Qconfig>{Qconfig::fbgemm, "fbgemm"},
    Named<Qconfig>{Qconfig::full, "full"},      Named<Qconfig>{Qconfig::reduced, "reduced"}};
constexpr std::array kObservers = {Named<ObserverKind>{ObserverKind::min_max, "min-max"},
                                   Named<ObserverKind>{ObserverKind::moving_average, "moving-average"},
                                   Named<ObserverKind>{ObserverKind::histogram, "histogram"},
                                   Named<ObserverKind>{ObserverKind::percentile, "percentile"},
                                   Named<ObserverKind>{ObserverKind::entropy, "entropy"},
                                   Named<ObserverKind>{ObserverKind::squared_error, "squared-error"}};
constexpr std::array kRoundings = {Named<Rounding>{Rounding::nearest, "nearest"},
                                   Named<Rounding>{Rounding::corrected, "corrected"},
                                   Named<Rounding>{Rounding::learned, "learned"}};

constexpr std::array kPreferences = {Named<Prefer>{Prefer::speed, "speed"}, Named<Prefer>{Prefer::size, "size"}};

template <typename Table, typename Kind>
std::string name_in(const Table& table, Kind kind) {
  return std::find_if(table.begin(), table.end(), [&](const auto& named) { return named.kind == kind; })->name;
}

template <typename Table>
auto kind_in(const Table& table, const std::string& name, const char* what) {
  std::string all;
  for (const auto& named : table) {
    if (name == named.name) return named.kind;
    all += (all.empty() ? "" : ", ") + std::string(named.name);
  }
  throw Error(ErrorKind::usage, fmt::format("there is no {} '{}'", what, name), "one of " + all);
}

}  // namespace

std::string to_string(Qconfig qconfig) { return name_in(kQconfigs, qconfig); }
std::string to_string(ObserverKind kind) { return name_in(kObservers, kind); }
std::string to_string(Rounding rounding) { return name_in(kRoundings, rounding); }

Qconfig parse_qconfig(const std::string& name) { return kind_in(kQconfigs, name, "qconfig"); }
ObserverKind parse_observer(const std::string& name) { return kind_in(kObservers, name, "observer"); }
Rounding parse_rounding(const std::string& name) { return kind_in(kRoundings, name, "rounding"); }
Prefer parse_prefer(const std::string& name) { return kind_in(kPreferences, name, "preference"); }

}  // namespace fusekit
