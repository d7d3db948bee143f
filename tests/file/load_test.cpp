#include "file/load.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zip.h>

#include <random>
#include <sstream>

#include "fusekit/error.h"
#include "support/module.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

namespace fs = std::filesystem;

using test::data;

/// The message without the path it begins with; the hint has to be there.
std::string refusal_to_load(const fs::path& path) {
  try {
    file::load(path);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::file);
    EXPECT_FALSE(error.hint().empty()) << error.message();
    EXPECT_TRUE(error.message().starts_with(path.string() + ": ")) << error.message();
    return error.message().substr(std::min(error.message().size(), path.string().size() + 2));
  }
  return "no Error";
}

class Load : public testing::Test {
 protected:
  /// A network of 64 weights; `extra` goes below the archive's extra/.
  fs::path save(const std::string& name, const ir::ExtraFiles& extra = {}) {
    test::make_module("Scale", {{"weight", at::arange(64, at::kFloat)}},
                      "def forward(self, x):\n    return x * self.weight\n")
        .save((folder_ / name).string(), extra);
    return folder_ / name;
  }

  fs::path write(const std::string& name, const std::string& bytes) {
    test::write_bytes(folder_ / name, bytes);
    return folder_ / name;
  }

  /// Replaces or adds one record of an archive; `name` is below its top folder.
  static void set_record(const fs::path& path, const std::string& name, const std::string& bytes, int method) {
    zip_t* archive = zip_open(path.c_str(), 0, nullptr);
    const std::string top = zip_get_name(archive, 0, 0);
    const std::string full = top.substr(0, top.find('/') + 1) + name;
    zip_source_t* source = zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
    const zip_int64_t index = zip_file_add(archive, full.c_str(), source, ZIP_FL_OVERWRITE);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), method, 0);
    ASSERT_EQ(zip_close(archive), 0);
  }

  /// Of its records, below its top folder.
  static std::vector<std::string> names_of(const fs::path& path) {
    std::vector<std::string> names;
    zip_t* archive = zip_open(path.c_str(), ZIP_RDONLY, nullptr);
    for (zip_int64_t k = 0; k < zip_get_num_entries(archive, 0); ++k) {
      const std::string name = zip_get_name(archive, static_cast<zip_uint64_t>(k), 0);
      names.push_back(name.substr(name.find('/') + 1));
    }
    zip_discard(archive);
    return names;
  }

  static std::string pickle_of(const fs::path& path) {
    zip_t* archive = zip_open(path.c_str(), ZIP_RDONLY, nullptr);
    zip_file_t* file = zip_fopen(archive, "scale/data.pkl", 0);
    std::string bytes(4096, '\0');
    bytes.resize(static_cast<std::size_t>(zip_fread(file, bytes.data(), bytes.size())));
    zip_fclose(file);
    zip_discard(archive);
    return bytes;
  }

  test::TemporaryFolder folder_;
};

TEST_F(Load, GivesTheModuleBack) {
  auto loaded = file::load(save("scale.pt"));
  EXPECT_EQ(loaded.module.forward({torch::ones({64})}).toTensor().sum().item<float>(), 2016.0F);
  EXPECT_TRUE(loaded.extra.empty());
}

TEST_F(Load, ReadsAllExtraFiles) {
  const ir::ExtraFiles extra{{"labels.txt", "cat\ndog"}, {"folder/note", std::string("\0\x01", 2)}, {"empty", ""}};
  EXPECT_EQ(file::load(save("scale.pt", extra)).extra, extra);
}

/// LibTorch reads it only when it writes the network or words an error.
TEST_F(Load, ADamagedDebugRecordIsRefused) {
  const std::string suffix = ".debug_pkl";
  int refused = 0;
  for (const std::string& bytes : {std::string(), std::string("no pickle"), std::string("\x80\x02(", 3),
                                   std::string("\x80\x02K\x01.") /* a pickle, of a number */}) {
    for (const fs::path& source :
         {save("scale.pt"), fs::path(FUSEKIT_SOURCE_DIR) / "tests/golden/layers/scripted.pt"}) {
      for (const std::string& name : names_of(source)) {
        if (!name.ends_with(suffix)) continue;
        const fs::path path = folder_ / "damaged.pt";
        fs::copy_file(source, path, fs::copy_options::overwrite_existing);
        set_record(path, name, bytes, ZIP_CM_STORE);
        try {
          std::ostringstream written;
          file::load(path).module.save(written);  // nothing of its lines is needed
        } catch (const Error& error) {
          ++refused;
          EXPECT_TRUE(error.message().starts_with(path.string() + ": ")) << error.message();
          EXPECT_FALSE(test::has(error.message(), "Exception raised from")) << error.message();
        }
      }
    }
  }
  EXPECT_GT(refused, 30);
}

/// A record of source lines with a table of one text, and one line whose text has this number in it.
std::string source_lines(char number) {
  const auto text = [](const std::string& of) { return std::string{'X', static_cast<char>(of.size()), 0, 0, 0} + of; };
  const std::string pieces = std::string("ctorch.jit._pickle\nbuild_intlist\n](K") + number + "e\x85R";
  const std::string zero("K\0", 2);
  const std::string line = zero + pieces + zero + zero + "\x87" + zero + zero + "\x87" + zero + "\x87";
  return "\x80\x02" + text("FORMAT_WITH_STRING_TABLE") + text("def f():\n") + "\x85" + line + "\x85\x87.";
}

/// LibTorch reads its table at any number.
TEST_F(Load, ALineOfSourceWhoseTextIsNotThereIsRefused) {
  const fs::path path = save("scale.pt");
  for (const std::string& name : names_of(path))
    if (name.ends_with(".debug_pkl")) set_record(path, name, source_lines(0), ZIP_CM_STORE);
  EXPECT_EQ(refusal_to_load(path), "no Error");
  for (const std::string& name : names_of(path))
    if (name.ends_with(".debug_pkl")) set_record(path, name, source_lines(5), ZIP_CM_STORE);
  EXPECT_NE(refusal_to_load(path).find("has a line whose text is not there"), std::string::npos);
}

TEST_F(Load, SaysWhatIsNoFileToRead) {
  EXPECT_EQ(refusal_to_load(folder_ / "absent.pt"), "no such file");
  EXPECT_EQ(refusal_to_load(folder_.path()), "is a folder");
  EXPECT_EQ(refusal_to_load("/dev/null"), "is not a regular file");
  ASSERT_EQ(mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(refusal_to_load(folder_ / "pipe"), "is not a regular file");
  EXPECT_EQ(refusal_to_load(write("empty.pt", "")), "is empty");
}

TEST_F(Load, SaysWhatTheFileIsInstead) {
  EXPECT_EQ(refusal_to_load(write("text.pt", "version https://git-lfs.github.com/spec/v1\n")),
            "is a text file, no TorchScript file");
  EXPECT_EQ(refusal_to_load(write("net.onnx",
                                  "\x08\x08\x12\x07pytorch\x1a\x05"
                                  "2.0.1")),
            "is an ONNX file");
  EXPECT_EQ(refusal_to_load(write("net.ptl", std::string("\x10\0\0\0PTMF\0\0\0\0", 12))),
            "is a mobile flatbuffer (.ptl without its code), from which no graph can be had back");
  EXPECT_EQ(refusal_to_load(write("w.safetensors", std::string("\x10\0\0\0\0\0\0\0{\"a\":", 13))),
            "is a safetensors file: weights without a network");
  EXPECT_EQ(refusal_to_load(write("noise.pt", std::string("\x03\0\x05\0\xff", 5))),
            "is no TorchScript file (which is a zip archive)");
  EXPECT_EQ(refusal_to_load(data("legacy.pt")),
            "was written by torch.save in its old format (before PyTorch 1.6), and is no TorchScript file");
  EXPECT_EQ(refusal_to_load(data("state_dict.pt")), "is a state_dict (weights without a network), no TorchScript file");
  EXPECT_EQ(refusal_to_load(data("dict.pt")), "is a state_dict (weights without a network), no TorchScript file");
  EXPECT_EQ(refusal_to_load(data("pickled_module.pt")), "is a module pickled by torch.save, no TorchScript file");
  EXPECT_EQ(refusal_to_load(data("tensor.pt")),
            "was written by torch.save, not by torch.jit.save: it holds Python objects, no network");
  EXPECT_EQ(refusal_to_load(data("exported.pt2")), "is a torch.export archive (.pt2), no TorchScript file");
  EXPECT_EQ(refusal_to_load(data("named.npz")), "holds NumPy arrays");
}

TEST_F(Load, ACutFileIsRefusedWhereverItIsCut) {
  const std::string bytes = test::bytes_of(save("whole.pt"));
  EXPECT_EQ(refusal_to_load(write("cut.pt", bytes.substr(0, bytes.size() / 2))),
            "begins as a zip archive, but its directory at the end is missing");
  for (std::size_t size = 1; size < bytes.size(); size += 97)
    EXPECT_NE(refusal_to_load(write("cut.pt", bytes.substr(0, size))), "no Error") << size;
}

TEST_F(Load, AFlippedBitInTheWeightsIsFound) {
  const fs::path path = save("scale.pt");
  std::string bytes = test::bytes_of(path);
  const float value = 17.0F;
  const auto place = bytes.find(std::string(reinterpret_cast<const char*>(&value), sizeof value));
  ASSERT_NE(place, std::string::npos);
  bytes[place] = static_cast<char>(bytes[place] ^ 1);
  EXPECT_EQ(refusal_to_load(write("scale.pt", bytes)), "the record scale/data/0 is damaged: CRC error");
}

TEST_F(Load, ARecordShorterThanItsTensorIsFound) {
  const fs::path path = save("scale.pt");
  set_record(path, "data/0", std::string(252, 'x'), ZIP_CM_STORE);
  EXPECT_EQ(refusal_to_load(path), "the record data/0 has 252 bytes, its tensor needs 64 elements of 4 bytes");
}

TEST_F(Load, AConstantShorterThanItsTensorIsFound) {
  torch::jit::Module module = torch::jit::load(save("scale.pt").string());
  torch::jit::freeze(module).save((folder_ / "frozen.pt").string());
  set_record(folder_ / "frozen.pt", "constants/0", std::string(252, 'x'), ZIP_CM_STORE);
  EXPECT_EQ(refusal_to_load(folder_ / "frozen.pt"),
            "the record constants/0 has 252 bytes, its tensor needs 64 elements of 4 bytes");
}

TEST_F(Load, ATensorThatReachesBeyondItsRecordIsFound) {
  const fs::path path = save("scale.pt");
  const std::string pickle = pickle_of(path);
  // The storage has 64 elements, then come the offset 0 and the size (64,): K@ (64) twice.
  const auto storage = pickle.find("K@");
  const auto size = pickle.find("K@", storage + 2);
  ASSERT_NE(size, std::string::npos);
  std::string larger = pickle;
  larger[size + 1] = 'A';
  set_record(path, "data.pkl", larger, ZIP_CM_STORE);
  EXPECT_EQ(refusal_to_load(path), "the record data/0 has 64 elements, and a tensor reaches beyond them");
  // Behind the size comes the stride (1,): K and the number. J has four bytes for it, here of -1.
  std::string backwards = pickle;
  const auto stride = pickle.find("K\1", size + 2);
  ASSERT_NE(stride, std::string::npos);
  backwards.replace(stride, 2, "J\xff\xff\xff\xff");
  set_record(path, "data.pkl", backwards, ZIP_CM_STORE);
  EXPECT_EQ(refusal_to_load(path), "the record data/0 has 64 elements, and a tensor reaches beyond them");
}

TEST_F(Load, AnArchiveThatUnpacksToFarTooMuchIsRefused) {
  const fs::path path = save("scale.pt");
  set_record(path, "data/9", std::string(100 << 20, '\0'), ZIP_CM_DEFLATE);
  const std::string message = refusal_to_load(path);
  EXPECT_TRUE(message.starts_with("the record scale/data/9 unpacks from ")) << message;
}

TEST_F(Load, ManyRecordsThatUnpackToFarTooMuchAreRefused) {
  const fs::path path = save("scale.pt");
  for (int k = 1; k < 10; ++k)  // each is small enough by itself
    set_record(path, fmt::format("data/{}", k), std::string(20 << 20, '\0'), ZIP_CM_DEFLATE);
  const std::string message = refusal_to_load(path);
  EXPECT_TRUE(message.starts_with("it unpacks from ")) << message;
}

/// A record that is too short, of whatever type of elements: the type is what the pickle calls it.
TEST_F(Load, ElementsOfEveryTypeAreCounted) {
  const std::vector<std::pair<std::string, int>> types{{"UInt16", 2},      {"UInt32", 4},      {"UInt64", 8},
                                                       {"ComplexHalf", 4}, {"Float8_e5m2", 1}, {"QInt8", 1}};
  for (const auto& [type, size] : types) {
    const fs::path path = save("scale.pt");
    std::string pickle = pickle_of(path);
    const std::string as_saved = "FloatStorage";
    pickle.replace(pickle.find(as_saved), as_saved.size(), type + "Storage");
    set_record(path, "data.pkl", pickle, ZIP_CM_STORE);
    set_record(path, "data/0", std::string(static_cast<std::size_t>(size), 'x'), ZIP_CM_STORE);
    const std::string message = refusal_to_load(path);
#if TORCH_VERSION_MAJOR >= 2
    EXPECT_EQ(message, fmt::format("the record data/0 has {0} bytes, its tensor needs 64 elements of {0} bytes", size));
#else  // which has no such types, but for quantized ones
    EXPECT_NE(message, "no Error");
#endif
    fs::remove(path);
  }
  const fs::path path = save("scale.pt");
  std::string pickle = pickle_of(path);
  pickle.replace(pickle.find("FloatStorage"), 5, "Fancy");
  set_record(path, "data.pkl", pickle, ZIP_CM_STORE);
  EXPECT_EQ(refusal_to_load(path),
            "the record data/0 has elements of a type that this LibTorch does not know: torch FancyStorage");
}

TEST_F(Load, APickleThatCantBeFollowedIsRefused) {
  const fs::path path = save("scale.pt");
  const std::string pickle = pickle_of(path);
  const auto refusal_of = [&](const std::string& changed) {
    set_record(path, "data.pkl", changed, ZIP_CM_STORE);
    return refusal_to_load(path);
  };
  const std::string begin = pickle.substr(0, 2);                         // the protocol
  const std::string text = std::string("X") + "\xff\xff\xff\x7f" + "x";  // said to be of 2 GB
  EXPECT_EQ(refusal_of(begin + text + "."), "the record data.pkl can't be followed at byte 2 (opcode 0x58)");
  EXPECT_EQ(refusal_of(begin + "\x95."), "the record data.pkl can't be followed at byte 2 (opcode 0x95)");
  EXPECT_EQ(refusal_of(pickle.substr(0, pickle.size() - 1)), "the record data.pkl has no end");
  std::string deep = begin + ")";
  for (int k = 0; k < 100000; ++k) deep += '\x85';  // a tuple of one, of one, of one, ...
  EXPECT_EQ(refusal_of(deep + "."), "the record data.pkl can't be followed at byte 1002 (opcode 0x85)");
  const std::string lists = begin + std::string(100000, ']') + std::string(99999, 'a');
  EXPECT_EQ(refusal_of(lists + "."), "the record data.pkl can't be followed at byte 101001 (opcode 0x61)");
}

/// The number of that many bytes, least significant first.
std::string little_endian(std::size_t number, std::size_t bytes) {
  std::string text;
  for (std::size_t k = 0; k < bytes; ++k) text += static_cast<char>(number >> (8 * k) & 0xff);
  return text;
}

// libzip and LibTorch would each take another one.
TEST_F(Load, AnArchiveWithTwoDirectoriesIsRefused) {
  const std::string honest = test::bytes_of(save("scale.pt"));
  EXPECT_EQ(refusal_to_load(write("more.pt", honest + "x")), "has a comment, or something else, behind its directory");
  std::string longer = honest;  // its comment would be longer than the file; libzip says so first
  longer.replace(honest.size() - 2, 2, little_endian(5, 2));
  EXPECT_NE(refusal_to_load(write("longer.pt", longer)), "");
  std::string with_comment = honest + honest;  // the second as the comment of the first
  with_comment.replace(honest.size() - 2, 2, little_endian(honest.size(), 2));
  EXPECT_EQ(refusal_to_load(write("comment.pt", with_comment)), "has two directories");
  std::string other_count = honest;
  other_count[honest.size() - 12] = static_cast<char>(other_count[honest.size() - 12] - 1);
  EXPECT_NE(refusal_to_load(write("count.pt", other_count)), "no Error");
}

TEST_F(Load, FunctionsThatCallEachOtherWithoutEndInSightAreRefused) {
  std::string source = "def m0(self, x):\n    return x + 1\n";
  for (int k = 1; k < 40; ++k)
    source += fmt::format("def m{}(self, x):\n    return self.m{}(self.m{}(x))\n", k, k - 1, k - 1);
  const fs::path path = folder_ / "calls.pt";
  test::make_module("Net", {}, source + "def forward(self, x):\n    return self.m39(x)\n").save(path.string());
  EXPECT_TRUE(test::has(refusal_to_load(path), "has more than 2 million operators"));
}

TEST_F(Load, ValuesWithoutEndInSightAreRefused) {
  const auto saved = [this](const c10::IValue& value) {
    torch::jit::Module module = test::make_module("Net", {}, "def forward(self, x):\n    return x\n");
    module.register_attribute("a", c10::ListType::create(c10::AnyType::get()), value);
    module.save((folder_ / "values.pt").string());
    return folder_ / "values.pt";
  };
  c10::impl::GenericList many(c10::AnyType::get());  // tens of tens of ...
  many.push_back(1);
  for (int level = 0; level < 9; ++level) {
    c10::impl::GenericList above(c10::AnyType::get());
    for (int k = 0; k < 10; ++k) above.push_back(many);
    many = above;
  }
  EXPECT_EQ(refusal_to_load(saved(many)), "its attributes hold more than 10 million values, taken apart");
  c10::impl::GenericList few(c10::AnyType::get());
  for (int k = 0; k < 10; ++k) few.push_back(k);
  EXPECT_EQ(refusal_to_load(saved(few)), "no Error");
}

// Code that takes it for the other would read beyond its end.
TEST_F(Load, AnObjectOfAnotherClassIsRefused) {
  torch::jit::Module module = test::make_module(
      "Net", {{"large.weight", at::ones({2})}, {"large.bias", at::ones({2})}, {"small.weight", at::ones({2})}},
      "def forward(self, x):\n    return x * self.large.weight + self.large.bias + self.small.weight\n");
  const fs::path path = folder_ / "classes.pt";
  module.save(path.string());
  EXPECT_EQ(refusal_to_load(path), "no Error");
  module._ivalue()->setSlot(module.type()->getAttributeSlot("large"), module.attr("small"));
  module.save(path.string());
  EXPECT_TRUE(test::has(refusal_to_load(path), "large is not of its type"));
}

TEST_F(Load, WhatANetworkRaisesIsShortened) {
  const fs::path path = save("scale.pt");
  set_record(path, "code/__torch__/test.py", "class Scale(Module):\n  " + std::string(100000, 'x') + "\n",
             ZIP_CM_STORE);
  EXPECT_LT(refusal_to_load(path).size(), 4000U);
}

/// Adds a record beside those that are there; `name` is below the top folder. libzip adds no name twice, so that a
/// second one is given its name afterwards, byte by byte.
void add_record(const fs::path& path, const std::string& name) {
  zip_t* archive = zip_open(path.c_str(), 0, nullptr);
  const std::string placeholder = "scale/" + std::string(name.size(), '#');
  const std::string bytes = "abcd";
  zip_file_add(archive, placeholder.c_str(), zip_source_buffer(archive, bytes.data(), bytes.size(), 0), 0);
  ASSERT_EQ(zip_close(archive), 0);
  std::string all = test::bytes_of(path);
  for (auto at = all.find(placeholder); at != std::string::npos; at = all.find(placeholder))
    all.replace(at, placeholder.size(), "scale/" + name);
  test::write_bytes(path, all);
}

TEST_F(Load, AZeroByteInANameIsRefused) {
  const fs::path path = save("scale.pt");
  add_record(path, std::string("a\0b", 3));
  EXPECT_EQ(refusal_to_load(path), "has a record with a zero byte in its name");
}

TEST_F(Load, NamesThatMisleadAreRefused) {
  const auto refusal_with = [this](const std::string& name) {
    const fs::path path = save("scale.pt");
    add_record(path, name);
    const std::string message = refusal_to_load(path);
    fs::remove(path);
    return message;
  };
  EXPECT_EQ(refusal_with("data/0"), "there are two records scale/data/0");
  EXPECT_EQ(refusal_with("DATA/0"), "there are two records scale/DATA/0");
  EXPECT_EQ(refusal_with("../../x"), "the record \"scale/../../x\" has a name that leads out of the archive");
  EXPECT_EQ(refusal_with("a\\b"), "the record \"scale/a\\b\" has a name that is no relative path");
  EXPECT_EQ(refusal_with("a\x1b[2J"), "the record \"scale/a?[2J\" has control characters or nothing for a name");
  EXPECT_EQ(refusal_with("extra/..notes"), "no Error");
}

/// Sets the CRC-32 of the record to 0, in its own header and in the directory; of all records for "".
void clear_crc(const fs::path& path, const std::string& name) {
  std::string all = test::bytes_of(path);
  const auto clear = [&](const std::string& signature, std::size_t crc_at, std::size_t name_at) {
    for (auto at = all.find(signature); at != std::string::npos; at = all.find(signature, at + 4))
      if (all.compare(at + name_at, name.size(), name) == 0) all.replace(at + crc_at, 4, std::string(4, '\0'));
  };
  clear("PK\3\4", 14, 30);
  clear("PK\1\2", 16, 46);
  test::write_bytes(path, all);
}

TEST_F(Load, AMissingCrcIsDamageWhereOthersHaveOne) {
  const fs::path path = save("scale.pt");
  clear_crc(path, "scale/data/0");
  EXPECT_EQ(refusal_to_load(path), "the record scale/data/0 is damaged: CRC error");
  clear_crc(path, "");
  EXPECT_EQ(refusal_to_load(path), "no Error");  // a writer may compute none
}

TEST_F(Load, WhatLibTorchSaysBecomesOneLine) {
  const fs::path path = save("scale.pt");
  set_record(path, "code/__torch__/test.py", "class Scale(Module):\n  def forward(self, x):\n    return not python\n",
             ZIP_CM_STORE);
  const std::string message = refusal_to_load(path);
  EXPECT_NE(message, "no Error");
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

TEST_F(Load, NoFlippedByteCrashes) {
  const std::string whole = test::bytes_of(save("whole.pt"));
  std::mt19937 random(1);
  int refused = 0;
  for (int k = 0; k < 300; ++k) {
    std::string bytes = whole;
    const std::size_t place = random() % bytes.size();
    bytes[place] = static_cast<char>(random());
    try {
      file::load(write("flipped.pt", bytes));
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 50);
}

/// What a file calls is known before anything of it has run.
TEST_F(Load, CodeThatReachesOutsideIsNotLoaded) {
  const fs::path touched = folder_ / "touched";
  const std::map<std::string, std::string> calls = {
      {"aten::save", "    torch.save(x, \"" + touched.string() + "\")\n"},
      {"aten::from_file", "    x = x + torch.from_file(\"" + touched.string() + "\", True, 4)\n"},
      {"aten::_reshape_alias", "    x = torch._reshape_alias(x, [4096], [1])\n"}};
  for (const auto& [op, call] : calls) {
    const fs::path path = folder_ / "outside.pt";
    test::make_module("Net", {}, "def forward(self, x):\n" + call + "    return x\n").save(path.string());
    EXPECT_EQ(refusal_to_load(path), "its code calls " + op);
    EXPECT_NO_THROW(torch::jit::load(path.string())) << "LibTorch knows " << op << " again";
    EXPECT_FALSE(fs::exists(touched));
  }
}

}  // namespace
}  // namespace fusekit
