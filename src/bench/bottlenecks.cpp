#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "bench/text_table.h"
#include "fusekit/bench_profile.h"

namespace fusekit::bench {
namespace {

constexpr double kLeastShare = 0.03;  // of a run
constexpr double kMostlyArithmetic = 0.4;

struct Advice {
  const char* op;  ///< part of the operator's name
  const char* text;
};

/// What helps against time in an operator; the first that fits.
constexpr std::array kAdvice = {
    Advice{"batch_norm", "`fusekit fuse` folds it into the layer before it"},
    Advice{"quantize", "the network goes between int8 and float; `fusekit quantize` tells what stays float, and why"},
    Advice{"aten::conv_transpose", ""},
    Advice{"aten::conv", "with WriteOptions::target = cpu its weights are packed for this kind of CPU"},
    Advice{"aten::_convolution", "with WriteOptions::target = cpu its weights are packed for this kind of CPU"},
    Advice{"aten::linear", "with WriteOptions::target = cpu its weights are packed for this kind of CPU"},
    Advice{"aten::addmm", "with WriteOptions::target = cpu its weights are packed for this kind of CPU"},
    Advice{"aten::relu", "with WriteOptions::target = cpu it is part of the layer before it"},
    Advice{"aten::hardtanh", "with WriteOptions::target = cpu it is part of the layer before it"},
    Advice{"aten::hardswish", "with WriteOptions::target = cpu it is part of the layer before it"},
    Advice{"aten::silu", "with WriteOptions::target = cpu it is part of the layer before it"},
    Advice{"aten::gelu", "with WriteOptions::target = cpu it is part of the layer before it"},
    Advice{"aten::to", "data changes its dtype or layout there"},
    Advice{"aten::contiguous", "data changes its layout there"},
    Advice{"aten::clone", "data is copied there"},
};

std::string advice_for(const LayerTime& sum) {
  for (const Advice& advice : kAdvice)
    if (sum.op.find(advice.op) != std::string::npos) return advice.text;
  return "";
}

struct Bottleneck {
  double us;
  std::string text;
};

std::string with(const std::string& text, const std::string& advice) {
  return advice.empty() ? text : text + "; " + advice;
}

std::string share_text(double us, const Profile& profile) {
  return fmt::format("{} us, {:.0f} % of a run", figure(us), 100 * us / profile.forward_us);
}

/// The layer of an operator where most can be won.
const LayerTime& worst_of(const std::string& op, const std::vector<LayerTime>& layers) {
  const LayerTime* worst = nullptr;
  for (const LayerTime& layer : layers)
    if (layer.op == op && (worst == nullptr || layer.gain_us() > worst->gain_us())) worst = &layer;
  return *worst;
}

std::string text_of(const LayerTime& sum, const Profile& profile) {
  std::string text = fmt::format("{}: {} above what this machine needs", sum.op, share_text(sum.gain_us(), profile));
  const LayerTime& worst = worst_of(sum.op, profile.layers);
  if (!worst.scope.empty() && sum.calls > worst.calls + 0.5)
    text += fmt::format(", most in {} ({} us)", worst.scope, figure(worst.gain_us()));
  if (sum.attainable_us && sum.us > 0)
    text += fmt::format("; {:.0f} % of what is possible is reached", 100 * *sum.attainable_us / sum.us);
  if (sum.bound == Bound::call && sum.calls > 0)
    text += fmt::format(", {} us a call for next to no work", figure(sum.us / sum.calls));
  return with(text, advice_for(sum));
}

/// Nothing is wrong with most of the time: the arithmetic takes it.
void tell_arithmetic(const Profile& profile, std::vector<Bottleneck>& all) {
  std::map<std::string, double> us;
  for (const LayerTime& layer : profile.layers)
    if (layer.bound == Bound::compute && layer.attainable_us)
      us[layer.dtype] += std::min(layer.us, *layer.attainable_us);
  for (const auto& [dtype, spent] : us) {
    if (spent < kMostlyArithmetic * profile.forward_us || dtype == "int8") continue;
    all.push_back({spent, fmt::format("arithmetic in {} at the most that this machine reaches: {}; int8{} or more "
                                      "threads need less time for it",
                                      dtype, share_text(spent, profile), dtype == "float" ? ", bfloat16" : "")});
  }
}

}  // namespace

std::vector<std::string> next_bottlenecks(const Profile& profile, std::size_t most) {
  std::vector<Bottleneck> all;
  if (profile.machine.bandwidth.empty()) return {};
  for (const LayerTime& sum : sum_by_operator(profile.layers)) {
    if (sum.attainable_us) all.push_back({sum.gain_us(), text_of(sum, profile)});
  }
  tell_arithmetic(profile, all);
  all.push_back(
      {profile.between_us(), with(fmt::format("between operators: {}", share_text(profile.between_us(), profile)),
                                  "fewer operators, or more samples a run, lose less there")});
  const double faults_us = profile.page_faults * profile.machine.fault_us;
  all.push_back({faults_us, fmt::format("page faults: {:.0f} a run, about {}; bench::Variant::environment = "
                                        "MALLOC_TRIM_THRESHOLD_=1000000000 with MALLOC_MMAP_THRESHOLD_=1000000000 "
                                        "shows what keeping freed memory gains",
                                        profile.page_faults, share_text(faults_us, profile))});
  std::erase_if(all, [&](const Bottleneck& one) { return one.us < kLeastShare * profile.forward_us; });
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.us > b.us; });
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < std::min(most, all.size()); ++i) texts.push_back(all[i].text);
  return texts;
}

}  // namespace fusekit::bench
