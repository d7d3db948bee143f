#include "target/cpu/product_times.h"

#include <fmt/format.h>
#include <torch/torch.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>

#include "file/text_file.h"
#include "fusekit/error.h"
#include "runtime/cpu_name.h"
#include "runtime/libtorch_operators.h"

namespace fusekit::target {
namespace {

using nlohmann::json;

constexpr const char* kKind = "fusekit: times of products in µs";
constexpr int kRounds = 25;
constexpr int kFewestRounds = 5;
constexpr double kLongEnough = 2;                // seconds, for those that are measured together
constexpr std::int64_t kMostTogether = 1 << 25;  // elements of their weights

struct Way {
  Packing packing;
  const char* name;
};
constexpr Way kWays[] = {{Packing::matrix, "plain"}, {Packing::mkl, "mkl"}, {Packing::linear, "onednn"}};

std::string words_for(const Product& product) {
  return fmt::format("{} rows, {} to {}{}{}", product.rows, product.in, product.out, product.has_bias ? ", bias" : "",
                     product.is_activated ? ", activation" : "");
}

json this_machine() {
  return {{"cpu", runtime::cpu_name()}, {"libtorch", TORCH_VERSION}, {"threads", at::get_num_threads()}};
}

at::Tensor call(const char* name, torch::jit::Stack arguments) {
  return runtime::call_operator(name, std::move(arguments)).toTensor();
}

/// One product in one way, with an activation where it has one.
std::function<void()> run_of(const Product& product, Packing packing) {
  const at::Tensor x = at::randn({product.rows, product.in});
  const at::Tensor weight = at::randn({product.out, product.in});
  const c10::IValue bias = product.has_bias ? c10::IValue(at::randn({product.out})) : c10::IValue();
  const bool activated = product.is_activated;
  if (packing == Packing::linear) {
    const at::Tensor packed = call("mkldnn::_reorder_linear_weight", {weight, product.rows});
    const c10::impl::GenericList none(c10::OptionalType::create(c10::NumberType::get()));
    return [=] {
      call("mkldnn::_linear_pointwise", {x, packed, bias, activated ? "relu" : "none", none, c10::IValue()});
    };
  }
  const auto activate = [activated](const at::Tensor& y) {
    if (activated) y.relu_();
  };
  if (packing == Packing::matrix)
    return [=] { activate(at::linear(x, weight, bias.isNone() ? at::Tensor() : bias.toTensor())); };
  const at::Tensor packed = call("mkl::_mkl_reorder_linear_weight", {weight, product.rows});
  return [=] { activate(call("mkl::_mkl_linear", {x, packed, weight, bias, product.rows})); };
}

double seconds_of(const std::function<void()>& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Runner {
  std::string product;
  const char* way;
  std::function<void()> run;
  std::vector<double> seconds;
};

void take_turns(std::vector<Runner>& runners) {
  const auto start = std::chrono::steady_clock::now();
  std::mt19937 random(1);
  std::vector<std::size_t> order(runners.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (int round = 0; round <= kRounds; ++round) {
    std::ranges::shuffle(order, random);
    for (const std::size_t i : order) {
      const double seconds = seconds_of(runners[i].run);
      if (round > 0) runners[i].seconds.push_back(seconds);  // the first makes the kernels
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    if (round >= kFewestRounds && taken.count() > kLongEnough) break;
  }
}

double median_us(std::vector<double> seconds) {
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return 1e6 * *middle;
}

}  // namespace

ProductTimes::ProductTimes(std::filesystem::path file) : file_(std::move(file)), others_("[]") {
  file::check_text_file(file_);
  if (!std::filesystem::exists(file_)) return;
  const std::string text = file::read_text_file(file_, "give a file that can be read, or a new one");
  try {
    const json all = json::parse(text);
    if (all.at("kind") != kKind) throw std::invalid_argument("another kind");
    json others = json::array();
    for (const json& machine : all.at("machines")) {
      if (machine.at("machine") == this_machine())
        machine.at("products").get_to(times_);
      else
        others.push_back(machine);
    }
    others_ = others.dump();
  } catch (const std::exception&) {
    throw Error(ErrorKind::file, fmt::format("{} is no file of measured layer times", file_.string()),
                "LowerOptions::layer_times is a file that an earlier run wrote, or a new one");
  }
}

void ProductTimes::measure(const std::vector<Product>& products) {
  const torch::NoGradGuard no_grad;
  std::vector<Product> missing;
  for (const Product& product : products)
    if (product.dtype == at::kFloat && times_.try_emplace(words_for(product)).second) missing.push_back(product);
  for (std::size_t i = 0; i < missing.size();) {
    std::vector<Runner> together;
    for (std::int64_t elements = 0; i < missing.size() && elements < kMostTogether; ++i) {
      elements += missing[i].in * missing[i].out + missing[i].rows * (missing[i].in + missing[i].out);
      for (const Way& way : kWays)
        if (PackedLayers::is_supported(way.packing))
          together.push_back({words_for(missing[i]), way.name, run_of(missing[i], way.packing), {}});
    }
    take_turns(together);
    for (const Runner& runner : together) times_[runner.product][runner.way] = median_us(runner.seconds);
  }
}

std::optional<Packing> ProductTimes::fastest(const Product& product) const {
  const auto known = times_.find(words_for(product));
  if (product.dtype != at::kFloat || known == times_.end()) return std::nullopt;
  std::optional<Packing> fastest;
  double least = 0;
  for (const Way& way : kWays) {
    const auto time = known->second.find(way.name);
    if (time == known->second.end() || !PackedLayers::is_supported(way.packing)) continue;
    if (fastest && time->second >= least) continue;
    fastest = way.packing;
    least = time->second;
  }
  return fastest;
}

void ProductTimes::save() const {
  json machines = json::parse(others_);
  machines.push_back({{"machine", this_machine()}, {"products", times_}});
  file::write_text_file(file_, json{{"kind", kKind}, {"machines", machines}}.dump(1) + "\n");
}

}  // namespace fusekit::target
