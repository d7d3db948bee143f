#include "verify/compare.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fusekit::gate {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

c10::IValue scores(double value) {
  c10::Dict<std::string, at::Tensor> dict;
  dict.insert("scores", at::tensor({1.0, value}));
  return c10::ivalue::Tuple::create({at::zeros({2}), dict});
}

std::string failure(const c10::IValue& a, const c10::IValue& b) { return compare(a, b).failure; }

TEST(Compare, NamesThePlaceOfTheWorstTensor) {
  const Comparison comparison = compare(scores(4), scores(5));
  EXPECT_EQ(comparison.failure, "");
  EXPECT_EQ(comparison.worst_at, "output[1]['scores']");
  EXPECT_DOUBLE_EQ(comparison.error.max_rel, 0.25);
}

TEST(Compare, SpecialValuesHaveToStandAtTheSamePlaces) {
  const at::Tensor plain = at::tensor({1.0F, 2.0F, 3.0F});
  const at::Tensor nan = at::tensor({NAN, 2.0F, 3.0F});
  const at::Tensor moved = at::tensor({1.0F, NAN, 3.0F});
  EXPECT_EQ(failure(plain, nan), "output has 1 more NaNs");
  EXPECT_EQ(failure(nan, plain), "output has 1 fewer NaNs");
  EXPECT_EQ(failure(nan, moved), "output has 1 NaNs at other places");
  EXPECT_EQ(failure(nan, nan.clone()), "");
  EXPECT_EQ(failure(plain, at::tensor({1.0F, 2.0F, kInfinity})), "output has 1 more infinities");
  EXPECT_EQ(failure(at::tensor({kInfinity}), at::tensor({-kInfinity})), "output has 1 fewer infinities");
  EXPECT_EQ(failure(at::tensor({-kInfinity}), at::tensor({0.0F})), "output has 1 fewer negative infinities");
}

TEST(Compare, ShapesAndTypesHaveToBeEqual) {
  EXPECT_EQ(failure(at::zeros({1, 10}), at::zeros({1, 11})), "output is 1x10 against 1x11");
  EXPECT_EQ(failure(at::zeros({}), at::zeros({1})), "output is a scalar against 1");
  EXPECT_EQ(failure(at::zeros({1}), at::zeros({1}, at::kDouble)), "output is Float against Double");
  EXPECT_EQ(failure(at::zeros({1}), 1.0), "output is a Tensor against a Double");
  EXPECT_EQ(failure(at::zeros({0, 3}), at::zeros({0, 3})), "");
}

TEST(Compare, IntegersBooleansAndStringsHaveToBeEqual) {
  EXPECT_EQ(failure(at::tensor({1, 2, 3}), at::tensor({1, 5, 4})),
            "output differs at 2 of 3 elements, first 2 against 5");
  EXPECT_EQ(failure(at::tensor({1, 2}).eq(1), at::tensor({1, 1}).eq(1)),
            "output differs at 1 of 2 elements, first 0 against 1");
  EXPECT_EQ(failure(3, 4), "output is 3 against 4");
  EXPECT_EQ(failure(true, false), "output is True against False");
  EXPECT_EQ(failure("cat", "dog"), "output is cat against dog");
  EXPECT_EQ(failure(c10::IValue(), c10::IValue()), "");
  EXPECT_EQ(failure(c10::IValue(), 1), "output is a None against a Int");
}

TEST(Compare, NumbersAreMeasuredLikeTensors) {
  EXPECT_DOUBLE_EQ(compare(4.0, 5.0).error.max_rel, 0.25);
  EXPECT_EQ(failure(NAN, 1.0), "output has 1 fewer NaNs");
}

TEST(Compare, ContainersHaveToHaveTheSameStructure) {
  const c10::IValue two = c10::List<at::Tensor>({at::zeros({1}), at::zeros({1})});
  const c10::IValue one = c10::List<at::Tensor>({at::zeros({1})});
  EXPECT_EQ(failure(two, one), "output has 2 elements against 1");
  EXPECT_EQ(failure(one, two), "output has 1 elements against 2");
  EXPECT_EQ(failure(c10::ivalue::Tuple::create({1, 2}), c10::ivalue::Tuple::create({1})),
            "output has 2 elements against 1");
  EXPECT_EQ(failure(c10::ivalue::Tuple::create({1}), c10::ivalue::Tuple::create({1, 2})),
            "output has 1 elements against 2");
  c10::Dict<std::string, std::int64_t> a;
  c10::Dict<std::string, std::int64_t> b;
  a.insert("x", 1);
  EXPECT_EQ(failure(a, b), "output['x'] is missing in the second");
  EXPECT_EQ(failure(b, a), "output['x'] is only in the second");
  b.insert("x", 2);
  EXPECT_EQ(failure(a, b), "output['x'] is 1 against 2");
}

TEST(Compare, NamedTuplesAreNamedByTheirFields) {
  const auto type =
      c10::TupleType::createNamed(c10::QualifiedName("__torch__.Output"), std::vector<std::string>{"logits", "aux"},
                                  std::vector<c10::TypePtr>{c10::IntType::get(), c10::IntType::get()});
  const auto a = c10::ivalue::Tuple::createNamed({1, 2}, type);
  const auto b = c10::ivalue::Tuple::createNamed({1, 3}, type);
  EXPECT_EQ(failure(a, b), "output.aux is 2 against 3");
}

TEST(Compare, QuantizedTensorsAreComparedByTheirValues) {
  const at::Tensor x = at::tensor({0.0F, 1.0F, 2.0F});
  const at::Tensor a = at::quantize_per_tensor(x, 0.5, 0, at::kQUInt8);
  const at::Tensor b = at::quantize_per_tensor(x, 0.25, 3, at::kQUInt8);
  EXPECT_EQ(failure(a, b), "");
  EXPECT_EQ(compare(a, b).error.max_abs, 0);
}

}  // namespace
}  // namespace fusekit::gate
