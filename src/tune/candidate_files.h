#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "fusekit/model.h"
#include "fusekit/quantize.h"
#include "fusekit/tune.h"
#include "tune/scratch_folder.h"

namespace fusekit::tuning {

struct CandidateFile {
  Candidate candidate;
  std::filesystem::path file;
};

/// Makes every kind of file of one network, each verified, in a folder that goes with this object.
class CandidateFiles {
 public:
  /// Reads and fuses the network. `output`: beside which the folder is made. Error as read, and of inputs that can't be
  /// worked out.
  CandidateFiles(const std::filesystem::path& input, const std::filesystem::path& output, const TuneOptions& options);

  /// What the candidates are made for.
  [[nodiscard]] const InputSummary& inputs() const { return inputs_; }

  /// From the most exact on, the original first; then the same files with the switches of a program. A candidate that can't
  /// be made says why (Candidate::refused). Throws Interrupted alone.
  std::vector<CandidateFile> make();

 private:
  struct Recipe;
  struct Quantized {
    Model model;
    QuantizeReport report;
  };

  static std::vector<Recipe> recipes(const TuneOptions& options);
  void make(const Recipe& recipe);
  void write(const Recipe& recipe, const std::filesystem::path& file, Candidate& candidate);
  const Quantized& quantized();
  [[nodiscard]] bool holds(const OutputError& error) const;
  void add(const Candidate& candidate, const std::filesystem::path& file) { made_.push_back({candidate, file}); }
  void add_switches(const Recipe& recipe);
  void add_engine(Candidate candidate, const std::filesystem::path& file);
  void add_graph_fuser(Candidate candidate, const std::filesystem::path& file);
  void add_kept_heap(Candidate candidate, const std::filesystem::path& file);

  std::filesystem::path input_;
  const TuneOptions& options_;
  ScratchFolder scratch_;
  Model fused_;
  std::optional<Quantized> quantized_;
  InputSummary inputs_;
  std::vector<CandidateFile> made_;
};

}  // namespace fusekit::tuning
