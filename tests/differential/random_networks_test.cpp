#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "differential/check_network.h"
#include "support/temporary_folder.h"
#include "target/cpu/packed_layer.h"

// A few random networks in every run of the suite; scripts/random_networks.sh runs any number of others.

namespace fusekit::test {
namespace {

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Counts what became of all networks.
class Tally {
 public:
  void add(const char* command, const RandomNetwork& network, const Outcome& outcome) {
    EXPECT_EQ(outcome.fault, "") << command << ", seed " << network.seed << ":\n" << network.source;
    done_ += outcome.done > 0 ? 1 : 0;
    refused_ += outcome.refusal.empty() ? 0 : 1;
    if (!outcome.refusal.empty() && std::getenv("FUSEKIT_NETWORKS") != nullptr)
      std::cout << command << ", seed " << network.seed << " refused: " << outcome.refusal << "\n";
  }
  [[nodiscard]] std::string text() const { return fmt::format("{} with something done, {} refused", done_, refused_); }

 private:
  std::size_t done_ = 0;
  std::size_t refused_ = 0;
};

TEST(RandomNetworks, KeepTheirStateAndAgreeRunByRun) {
  const TemporaryFolder folder;
  const std::uint64_t count = setting("FUSEKIT_NETWORKS", 20);
  const std::uint64_t first = setting("FUSEKIT_NETWORKS_SEED", 1);
  Tally fused;
  Tally lowered;
  Tally quantized;
  std::uint64_t in_training = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const RandomNetwork network = random_network(seed);
    in_training += network.in_training ? 1 : 0;
    fused.add("fuse", network, check_fuse(network, folder.path()));
    if (target::PackedLayers::are_supported())
      lowered.add("fuse --for cpu", network, check_cpu(network, folder.path()));
    quantized.add("quantize", network, check_quantize(network, folder.path()));
  }
  std::cout << fmt::format("{} networks from seed {}, {} in training mode; fuse: {}; for cpu: {}; quantize: {}\n",
                           count, first, in_training, fused.text(), lowered.text(), quantized.text());
}

TEST(RandomNetworks, TheSameSeedGivesTheSameNetwork) {
  EXPECT_EQ(random_network(5).source, random_network(5).source);
  EXPECT_NE(random_network(5).source, random_network(6).source);
}

}  // namespace
}  // namespace fusekit::test
