// Detections are compared as sets: in which row one stands does not matter.
#include "verify/detections.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fusekit/verify.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit::gate {
namespace {

const at::Tensor kBoxes =
    at::tensor({0., 0., 10., 10., 20., 20., 30., 40., 5., 5., 9., 9.}).view({3, 4}).to(at::kFloat);
const at::Tensor kScores = at::tensor({0.9F, 0.8F, 0.7F});
const at::Tensor kLabels = at::tensor({1, 2, 1}, at::kLong);

/// What a detection network returns for one image, its rows in this order.
c10::IValue detections(const std::vector<std::int64_t>& order, const at::Tensor& boxes = kBoxes,
                       const at::Tensor& labels = kLabels) {
  const at::Tensor rows = at::tensor(order, at::kLong);
  c10::Dict<std::string, at::Tensor> dict;
  dict.insert("boxes", boxes.index_select(0, rows));
  dict.insert("labels", labels.index_select(0, rows));
  dict.insert("scores", kScores.index_select(0, rows));
  dict.insert("masks", kBoxes.view({3, 1, 2, 2}).index_select(0, rows));
  return dict;
}

/// A batch of one image, beside a dict of losses, as scripted networks of torchvision return it.
c10::IValue batch(const c10::IValue& image) {
  c10::impl::GenericList list(image.type());
  list.push_back(image);
  return c10::ivalue::Tuple::create({c10::Dict<std::string, at::Tensor>(), list});
}

at::Tensor entry(const c10::IValue& batch, const char* key) {
  return batch.toTupleRef().elements()[1].toList().get(0).toGenericDict().at(std::string(key)).toTensor();
}

TEST(Detections, ThoseInAnotherOrderAreFound) {
  const AlignedOutputs aligned = align_detections(batch(detections({0, 1, 2})), batch(detections({2, 0, 1})));
  EXPECT_EQ(aligned.detections, 3);
  EXPECT_EQ(aligned.matched, 3);
  EXPECT_EQ(aligned.moved, 3);
  for (const char* key : {"boxes", "scores", "labels", "masks"})
    EXPECT_TRUE(entry(aligned.a, key).equal(entry(aligned.b, key))) << key;
}

TEST(Detections, TheOrderThatIsThereIsKept) {
  const at::Tensor twice = kBoxes.index_select(0, at::tensor({0, 0, 2}, at::kLong));  // two boxes that are equal
  const at::Tensor labels = at::ones({3}, at::kLong);
  const AlignedOutputs aligned =
      align_detections(detections({0, 1, 2}, twice, labels), detections({0, 1, 2}, twice + 1e-4, labels));
  EXPECT_EQ(aligned.matched, 3);
  EXPECT_EQ(aligned.moved, 0);
}

TEST(Detections, ACounterpartHasTheSameLabelAndPlace) {
  EXPECT_EQ(align_detections(detections({0, 1, 2}), detections({0, 1, 2}, kBoxes, kLabels + 1)).matched, 0);
  EXPECT_EQ(align_detections(detections({0, 1, 2}), detections({0, 1, 2}, kBoxes + 100)).matched, 0);
  EXPECT_EQ(align_detections(detections({0, 1, 2}), detections({0, 1, 2}, kBoxes + 1)).matched,
            2);  // the small one moved far
}

TEST(Detections, EachIsUsedOnce) {
  const AlignedOutputs aligned = align_detections(detections({0, 0, 0}), detections({0, 1}));
  EXPECT_EQ(aligned.detections, 3);
  EXPECT_EQ(aligned.matched, 1);
  EXPECT_EQ(aligned.alone(), 2);
}

TEST(Detections, OtherOutputsAreLeftAlone) {
  const at::Tensor plain = at::tensor({1.0F, 2.0F});
  const AlignedOutputs aligned = align_detections(plain, plain.flip(0));
  EXPECT_EQ(aligned.detections, 0);
  EXPECT_TRUE(aligned.b.toTensor().equal(plain.flip(0)));
}

/// A network that gives three detections, of which the file's rows have this order, and this score is added to.
std::string save_detector(const test::TemporaryFolder& folder, const std::string& name, const at::Tensor& order,
                          double shift) {
  const auto module =
      test::make_module("Detector", {{"boxes", kBoxes}, {"scores", kScores + shift}, {"order", order}},
                        "def forward(self, x):\n"
                        "    boxes = (self.boxes + x.mean()).index_select(0, self.order)\n"
                        "    return [{'boxes': boxes, 'scores': self.scores.index_select(0, self.order)}]\n");
  const std::string path = (folder / name).string();
  test::save_module(module, path);
  return path;
}

TEST(Detections, AreVerifiedAsSets) {
  const test::TemporaryFolder folder;
  const at::Tensor order = at::tensor({0, 1, 2}, at::kLong);
  const std::string a = save_detector(folder, "a.pt", order, 0);
  VerifyOptions options;
  options.inputs.dims = {{4}};

  const VerifyReport moved = verify(a, save_detector(folder, "moved.pt", order.flip(0), 0), options);
  EXPECT_TRUE(moved.passed) << moved.failure;
  EXPECT_EQ(moved.detections, 27);  // 3 samples, 3 runs
  EXPECT_EQ(moved.matched, 27);
  EXPECT_EQ(moved.moved, 18);  // the one in the middle stays

  EXPECT_FALSE(verify(a, save_detector(folder, "other.pt", order, 0.1), options).passed);
  const VerifyReport fewer = verify(a, save_detector(folder, "fewer.pt", order.slice(0, 0, 2), 0), options);
  EXPECT_FALSE(fewer.passed);
  EXPECT_NE(fewer.failure.find("1 of 3 detections"), std::string::npos) << fewer.failure;
  options.min_sqnr_db = 10;
  EXPECT_TRUE(verify(a, save_detector(folder, "most.pt", order.slice(0, 0, 2), 0), options).passed);
  EXPECT_FALSE(verify(a, save_detector(folder, "one.pt", order.slice(0, 0, 1), 0), options).passed);
}

}  // namespace
}  // namespace fusekit::gate
