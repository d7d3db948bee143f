// Which operator computes a product, by rule and by times that were measured.
#include "target/cpu/product.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "file/text_file.h"
#include "support/refusal.h"
#include "target/cpu_target.h"

namespace fusekit {
namespace {

using target::Packing;
using target::Product;
using target::ProductTimes;
using test::operator+;

Product product(std::int64_t rows, std::int64_t in, std::int64_t out, at::ScalarType dtype = at::kFloat) {
  return {.rows = rows, .in = in, .out = out, .dtype = dtype};
}

TEST(PackingOfProduct, DependsOnRowsAndWeight) {
  const Packing by_mkl = target::PackedLayers::is_supported(Packing::mkl) ? Packing::mkl : Packing::linear;
  EXPECT_NE(target::packing_of(product(16, 512, 512)), Packing::linear) << "plain, or MKL's on Intel";
  EXPECT_EQ(target::packing_of(product(16, 512, 512, at::kBFloat16)), Packing::linear);
  EXPECT_EQ(target::packing_of(product(100, 512, 512, at::kBFloat16)), Packing::linear);
  EXPECT_EQ(target::packing_of(product(100, 32, 32)), by_mkl);
  EXPECT_EQ(target::packing_of(product(1000, 32, 32)), Packing::linear);
  EXPECT_EQ(target::packing_of(product(10000, 512, 512)), Packing::linear);
}

class ProductTimesTest : public test::CpuTarget {
 protected:
  [[nodiscard]] std::filesystem::path file() const { return folder_ / "times.json"; }

  [[nodiscard]] nlohmann::json saved() const { return nlohmann::json::parse(file::read_text_file(file(), "")); }

  /// Lets this way be the fastest for all products of the file.
  void favour(const std::string& way) const {
    nlohmann::json all = saved();
    for (auto& machine : all["machines"])
      for (auto& times : machine["products"])
        for (auto& [name, us] : times.items()) us = name == way ? 1 : 2;
    file::write_text_file(file(), all.dump());
  }
};

TEST_F(ProductTimesTest, AreMeasuredOnceAndKept) {
  ProductTimes times(file());
  EXPECT_EQ(times.fastest(product(7, 24, 40)), std::nullopt);
  times.measure({product(7, 24, 40), product(900, 8, 16), product(7, 24, 40), product(7, 24, 40, at::kBFloat16)});
  EXPECT_NE(times.fastest(product(7, 24, 40)), std::nullopt);
  EXPECT_EQ(times.fastest(product(7, 24, 40, at::kBFloat16)), std::nullopt);
  EXPECT_EQ(times.fastest(product(8, 24, 40)), std::nullopt);
  times.save();
  const nlohmann::json before = saved();
  ASSERT_EQ(before["machines"].size(), 1U);
  EXPECT_EQ(before["machines"][0]["products"].size(), 2U);
  for (const auto& ways : before["machines"][0]["products"]) {
    EXPECT_GE(ways.size(), 2U);
    for (const auto& us : ways) EXPECT_GT(us.get<double>(), 0);
  }
  ProductTimes again(file());
  again.measure({product(7, 24, 40), product(900, 8, 16)});
  again.save();
  EXPECT_EQ(saved(), before) << "nothing was measured anew";
}

TEST_F(ProductTimesTest, TheFastestWayIsTaken) {
  ProductTimes times(file());
  times.measure({product(7, 24, 40)});
  times.save();
  for (const auto& [way, packing] : {std::pair("plain", Packing::matrix), std::pair("onednn", Packing::linear)}) {
    favour(way);
    const ProductTimes known(file());
    EXPECT_EQ(known.fastest(product(7, 24, 40)), packing);
    EXPECT_EQ(target::packing_of(product(7, 24, 40), &known), packing);
  }
}

TEST_F(ProductTimesTest, OfOtherMachinesStayAndAreNotUsed) {
  ProductTimes(file()).save();
  nlohmann::json all = saved();
  nlohmann::json other = all["machines"][0];
  other["machine"]["cpu"] = "Elbrus";
  other["products"] = {{"7 rows, 24 to 40, bias", {{"plain", 1.5}}}};
  all["machines"].push_back(other);
  file::write_text_file(file(), all.dump());
  const ProductTimes times(file());
  EXPECT_EQ(times.fastest(product(7, 24, 40)), std::nullopt);
  times.save();
  ASSERT_EQ(saved()["machines"].size(), 2U);
  EXPECT_EQ(saved()["machines"][0], other);
}

TEST_F(ProductTimesTest, AnotherFileIsRefusedAndStays) {
  for (const char* text :
       {"", "{}", "[1, 2]", "{\"kind\": \"fusekit: times of products in \u00b5s\", \"machines\": 3}"}) {
    file::write_text_file(file(), text);
    EXPECT_TRUE(test::refuses(ErrorKind::file, "times.json", [&] { ProductTimes times(file()); })) << text;
    EXPECT_EQ(file::read_text_file(file(), ""), text);
  }
}

TEST_F(ProductTimesTest, AFileIsWrittenByThem) {
  const test::Tensors tensors = {{"a.weight", torch::randn({32, 8, 1, 1})},
                                 {"a.bias", torch::randn({32})},
                                 {"b.weight", torch::randn({5, 32}) / 5}};
  const char* body =
      "  y = torch.relu(torch.conv2d(x, self.a.weight, self.a.bias))\n"
      "  return torch.linear(y.mean([2, 3]), self.b.weight)\n";
  LowerOptions options;
  options.layer_times = file();
  write_network(tensors, body, options);
  expect_same_everywhere();
  const nlohmann::json products = saved()["machines"][0]["products"];
  EXPECT_TRUE(products.contains("288 rows, 8 to 32, bias, activation")) << products;
  EXPECT_TRUE(products.contains("2 rows, 32 to 5")) << products;
  favour("onednn");
  write_network(tensors, body, options);
  EXPECT_EQ(count("mkldnn::_linear_pointwise"), 2U);
  favour("plain");
  write_network(tensors, body, options);
  EXPECT_EQ(count("mkldnn::_linear_pointwise"), 0U);
  expect_same_everywhere();
}

}  // namespace
}  // namespace fusekit
