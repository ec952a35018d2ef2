#include "init/command_lines.h"

#include <vector>

#include <gtest/gtest.h>

namespace slipway::init {
namespace {

struct Seen {
  std::string text;
  std::vector<std::string> lines;
  std::vector<std::size_t> before;  // how much text had gone by when the line was told
};

Seen fed(std::string_view all, std::size_t piece) {
  Seen seen;
  CommandLines commands;
  const auto text = [&](std::string_view bytes) { seen.text += bytes; };
  const auto line = [&](std::string_view one) {
    seen.lines.emplace_back(one);
    seen.before.push_back(seen.text.size());
  };
  for (std::string_view rest = all; !rest.empty(); rest.remove_prefix(std::min(piece, rest.size()))) {
    commands.feed(rest.substr(0, piece), text, line);
  }
  commands.finish(text, line);
  return seen;
}

TEST(CommandLines, AreToldBeforeTheirBytesWhateverTheSplit) {
  const std::string_view all = "a\n::add-mask::x\nb ::no\n:\n:x\n::\nstd::string\n\n::error::y";
  for (std::size_t piece = 1; piece <= all.size(); ++piece) {
    const Seen seen = fed(all, piece);
    EXPECT_EQ(seen.text, all) << piece;
    EXPECT_EQ(seen.lines, (std::vector<std::string>{"::add-mask::x", ":", "::", "::error::y"})) << piece;
    EXPECT_EQ(seen.before.front(), 2U);
  }
}

TEST(CommandLines, OrdinaryOutputIsNeverHeldBack) {
  CommandLines commands;
  std::string text;
  const auto to_text = [&](std::string_view bytes) { text += bytes; };
  const auto no_line = [](std::string_view line) { FAIL() << line; };
  commands.feed("progress", to_text, no_line);
  EXPECT_EQ(text, "progress");
  commands.feed(" 50%\n(:", to_text, no_line);
  EXPECT_EQ(text, "progress 50%\n(:");
}

TEST(CommandLines, ALineWithoutEndIsGivenOutAtItsLimit) {
  const std::string flood = "::" + std::string(2 * CommandLines::kLongest, 'x');
  EXPECT_EQ(fed(flood, 4096).text, flood);
  EXPECT_TRUE(fed(flood, 4096).lines.empty());
}

}  // namespace
}  // namespace slipway::init
