#include <fmt/format.h>

#include "differential/drawer.h"

// State of every kind that TorchScript has, written in place and by assignment, and arguments that may be left out.

namespace fusekit::test {
namespace {

void counter(Drawer& d) {
  const std::string count = d.buffer(at::zeros({1}, d.chance(2) ? at::kLong : at::kFloat));
  d.line(d.chance(2) ? count + " += 1" : count + ".add_(1)");
  if (d.chance(2)) d.line(fmt::format("x = x + {} * 0.01", count));
  d.output(count + ".clone()");
}

void number(Drawer& d) {
  const bool whole = d.chance(2);
  const std::string name =
      whole ? d.attribute(c10::IntType::get(), d.pick(0, 3)) : d.attribute(c10::FloatType::get(), 1.0);
  d.line(whole ? fmt::format("{0} = {0} + 1", name) : fmt::format("{0} = {0} * 0.96875", name));
  d.line(fmt::format("x = x * (1.0 + 0.01 * {})", name));
  if (d.chance(2)) d.output(name);
}

void mean_in_place(Drawer& d) {
  const std::string mean = d.buffer(at::zeros({d.channels}, d.dtype));
  d.line(fmt::format("{}.mul_(0.9).add_({} * 0.1)", mean, d.mean_of_channels()));
  if (d.chance(2)) d.line(fmt::format("x = x - {}.{}", mean, d.per_channel()));
}

void mean_by_assignment(Drawer& d) {
  const std::string mean = d.buffer(d.normal({d.channels}) / 8);
  d.line(fmt::format("{0} = {0} * 0.9 + {1} * 0.1", mean, d.mean_of_channels()));
  if (d.chance(2)) d.line(fmt::format("x = x + {}.{}", mean, d.per_channel()));
}

void peak(Drawer& d) {
  const std::string peak = d.buffer(at::zeros({d.channels}, d.dtype));
  d.line(fmt::format("{0}.copy_(torch.maximum({0}, x.amax({1})))", peak, d.all_but_channels()));
}

void ring(Drawer& d) {
  const std::string rows = d.buffer(at::zeros({3, d.channels}, d.dtype));
  const std::string next = d.attribute(c10::IntType::get(), std::int64_t{0});
  d.line(fmt::format("{0}[{1} % 3] = {2}", rows, next, d.mean_of_channels()));
  d.line(fmt::format("{0} = {0} + 1", next));
  d.line(fmt::format("x = x + {}.sum(0).{} * 0.1", rows, d.per_channel()));
}

void through_a_view(Drawer& d) {
  const std::string table = d.buffer(at::zeros({2, d.channels}, d.dtype));
  d.line(fmt::format("row = {}[1]", table));
  d.line(fmt::format("row.add_({})", d.mean_of_channels()));
  d.line(fmt::format("torch.index_put_({0}, [torch.tensor([0])], torch.ones_like({0}[0:1]), True)", table));
  d.line(fmt::format("x = x - {}.mean(0).{} * 0.05", table, d.per_channel()));
}

void reset_now_and_then(Drawer& d) {
  const std::string count = d.attribute(c10::IntType::get(), d.pick(0, 2));
  const std::string sum = d.buffer(at::zeros({d.channels}, d.dtype));
  d.line(fmt::format("{}.add_({})", sum, d.mean_of_channels()));
  d.line(fmt::format("{0} = {0} + 1", count));
  d.line(fmt::format("if {} % 3 == 0:", count));
  d.line(fmt::format("    {}.zero_()", sum));
  d.line(fmt::format("x = x - {}.{} * 0.1", sum, d.per_channel()));
}

void list_of_numbers(Drawer& d) {
  const std::string list = d.attribute(c10::ListType::ofFloats(), c10::List<double>({0.5}));
  d.line(fmt::format("{0}.append({0}[-1] * 0.5)", list));
  d.line(fmt::format("if len({0}) > 3:", list));
  d.line(fmt::format("    {}.clear()", list));
  d.line(fmt::format("    {}.append(0.5)", list));
  d.line(fmt::format("x = x + {}[-1]", list));
}

void list_of_tensors(Drawer& d) {
  const std::string list =
      d.attribute(c10::ListType::ofTensors(), c10::List<at::Tensor>({at::zeros({d.channels}, d.dtype)}));
  d.line(d.chance(2) ? fmt::format("{}[0].mul_(0.5).add_(1.0)", list)
                     : fmt::format("{0}[0] = {0}[0] * 0.5 + 1.0", list));
  d.line(fmt::format("x = x + {}[0].{} * 0.1", list, d.per_channel()));
}

void dict_of_tensors(Drawer& d) {
  c10::Dict<std::string, at::Tensor> dict;
  dict.insert("a", at::zeros({d.channels}, d.dtype));
  const std::string name = d.attribute(c10::DictType::create(c10::StringType::get(), c10::TensorType::get()), dict);
  d.line(d.chance(2) ? fmt::format("{}[\"a\"].add_({} * 0.1)", name, d.mean_of_channels())
                     : fmt::format("{0}[\"a\"] = {0}[\"a\"] * 0.5 + {1}", name, d.mean_of_channels()));
  d.line(fmt::format("x = x + {}[\"a\"].{} * 0.1", name, d.per_channel()));
}

void tied(Drawer& d) {
  const at::Tensor memory = at::zeros({2, d.channels}, d.dtype);
  const std::string whole = d.buffer(memory);
  const std::string part = d.buffer(memory[0]);
  d.line(fmt::format("{}.add_(0.125)", part));
  d.line(fmt::format("x = x + {}.sum(0).{} * 0.1", whole, d.per_channel()));
}

void dropout(Drawer& d) {
  d.asks_for_mode_of_root();
  d.line("x = torch.dropout(x, 0.25, self.training)");
}

void argument(Drawer& d) {
  const std::string name = d.fresh_name("given");
  switch (d.pick(0, 3)) {
    case 0:
      d.argument(name + ": float = 1.5");
      d.line(fmt::format("x = x * {}", name));
      break;
    case 1:
      d.argument(name + ": Optional[Tensor] = None");
      d.line(fmt::format("if {} is not None:", name));
      d.line(fmt::format("    x = x + {}", name));
      break;
    case 2:
      d.argument(name + ": int = 2");
      d.line(fmt::format("for i in range({}):", name));
      d.line("    x = x * 0.75 + 0.125");
      break;
    default:
      d.argument(name + ": bool = False");
      d.line(fmt::format("if {}:", name));
      d.line("    x = torch.flip(x, [1])");
  }
}

}  // namespace

const std::vector<Piece>& state_pieces() {
  static const std::vector<Piece> pieces = {counter,
                                            number,
                                            mean_in_place,
                                            mean_by_assignment,
                                            peak,
                                            ring,
                                            through_a_view,
                                            reset_now_and_then,
                                            list_of_numbers,
                                            list_of_tensors,
                                            dict_of_tensors,
                                            tied,
                                            dropout,
                                            argument,
                                            argument};
  return pieces;
}

}  // namespace fusekit::test
