#include <fmt/ranges.h>
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

using Check = Outcome (*)(const RandomNetwork&, const std::filesystem::path&);

/// One way through the program, and what became of the networks on it.
class Way {
 public:
  Way(std::string command, Check check) : command_(std::move(command)), check_(check) {}

  void take(const RandomNetwork& network, const std::filesystem::path& folder) {
    const Outcome outcome = check_(network, folder);
    done_ += outcome.done > 0 ? 1 : 0;
    refused_ += outcome.refusal.empty() ? 0 : 1;
    unfolded_ += outcome.unfolded.size();
    if (!outcome.fault.empty()) tell_fault(network, outcome.fault, folder);
    if (!is_campaign()) return;
    if (!outcome.refusal.empty()) tell(network, "refused: " + outcome.refusal);
    for (const std::string& text : outcome.unfolded) tell(network, "not folded: " + text);
  }

  [[nodiscard]] std::size_t unfolded() const { return unfolded_; }
  [[nodiscard]] std::string text() const {
    return fmt::format("{}: {} with something done, {} refused", command_, done_, refused_);
  }

 private:
  static bool is_campaign() { return std::getenv("FUSEKIT_NETWORKS") != nullptr; }

  void tell(const RandomNetwork& network, const std::string& what) const {
    std::cout << command_ << ", seed " << network.seed << " " << what << "\n";
  }

  /// Shrinks the network first.
  void tell_fault(const RandomNetwork& network, const std::string& fault, const std::filesystem::path& folder) const {
    const auto without =
        shrink(network, [this, &folder](const RandomNetwork& smaller) { return check_(smaller, folder); });
    const RandomNetwork small = random_network(network.seed, without);
    if (const char* kept = std::getenv("FUSEKIT_NETWORKS_KEEP"))
      small.module.save(fmt::format("{}/seed_{}.pt", kept, network.seed));
    ADD_FAILURE() << command_ << ", seed " << network.seed << ": " << fault << "\nwithout pieces "
                  << fmt::format("{}", fmt::join(without, ", ")) << ": " << check_(small, folder).fault << "\n"
                  << small.source;
  }

  std::string command_;
  Check check_;
  std::size_t done_ = 0;
  std::size_t refused_ = 0;
  std::size_t unfolded_ = 0;
};

TEST(RandomNetworks, KeepTheirStateAndAgreeRunByRun) {
  const TemporaryFolder folder;
  const std::uint64_t count = setting("FUSEKIT_NETWORKS", 20);
  const std::uint64_t first = setting("FUSEKIT_NETWORKS_SEED", 1);
  Way fused("fuse", check_fuse);
  Way lowered("fuse --for cpu", check_cpu);
  Way quantized("quantize", check_quantize);
  std::uint64_t in_training = 0;
  std::size_t foldable = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const RandomNetwork network = random_network(seed);
    in_training += network.in_training ? 1 : 0;
    foldable += network.foldable.size();
    fused.take(network, folder.path());
    if (target::PackedLayers::are_supported()) lowered.take(network, folder.path());
    quantized.take(network, folder.path());
  }
  std::cout << fmt::format("{} networks from seed {}, {} in training mode; {}; {}; {}\n", count, first, in_training,
                           fused.text(), lowered.text(), quantized.text());
  std::cout << fmt::format("{} of {} BatchNorms that may be folded were\n", foldable - fused.unfolded(), foldable);
  EXPECT_GE(static_cast<double>(foldable - fused.unfolded()), 0.8 * static_cast<double>(foldable));
}

TEST(RandomNetworks, TheSameSeedGivesTheSameNetwork) {
  EXPECT_EQ(random_network(5).source, random_network(5).source);
  EXPECT_NE(random_network(5).source, random_network(6).source);
}

}  // namespace
}  // namespace fusekit::test
