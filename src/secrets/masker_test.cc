#include "secrets/masker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <regex>
#include <vector>

#include "secrets/needles.h"
#include "secrets/plain_text.h"

namespace slipway::secrets {
namespace {

std::string mask(const SecretSet& secrets, std::string_view text) {
  MaskingStream stream(secrets);
  std::string out;
  stream.feed(text, out);
  stream.finish(out);
  return out;
}

SecretSet set_of(const std::vector<std::string>& values) {
  SecretSet secrets;
  for (const std::string& value : values) EXPECT_EQ(secrets.add(value), Weakness::none) << value;
  return secrets;
}

/// A text that a reader may see: all of it, or what stands between escapes; and where each byte of it stands.
struct Reading {
  std::string text;
  std::vector<std::size_t> places;
};

std::vector<Reading> readings(const std::string& text) {
  static const std::regex escapes("\x1b(\\[[ -?]{0,126}[@-~]|[ -/]{1,127}[0-~]|[0-OQRTUVWYZ\\\\`-~])");
  std::vector<Reading> made(1, Reading{text, {}});
  for (std::size_t i = 0; i < text.size(); ++i) made[0].places.push_back(i);
  made.emplace_back();
  std::size_t run = 0;
  for (std::size_t i = 0; i < text.size();) {
    std::smatch found;
    if (std::regex_search(text.begin() + static_cast<std::ptrdiff_t>(i), text.end(), found, escapes,
                          std::regex_constants::match_continuous)) {
      run += static_cast<std::size_t>(found.length());
      i += static_cast<std::size_t>(found.length());
      continue;
    }
    if (run > kLongestEscapes) made.emplace_back();
    run = 0;
    made.back().text.push_back(text[i]);
    made.back().places.push_back(i++);
  }
  return made;
}

/// What the header promises, without any cleverness: every occurrence of every needle, one mask for what overlaps.
std::string naive_mask(const std::vector<std::string>& values, const std::string& text) {
  struct Range {
    std::size_t begin, end;
  };
  std::vector<Range> ranges;
  for (const Reading& reading : readings(text)) {
    for (const std::string& value : values) {
      for (const std::string& needle : derive_needles(trimmed(value))) {
        for (std::size_t at = reading.text.find(needle); at != std::string::npos;
             at = reading.text.find(needle, at + 1)) {
          ranges.push_back({reading.places[at], reading.places[at + needle.size() - 1] + 1});
        }
      }
    }
  }
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  std::string out;
  std::size_t done = 0;
  for (const Range& range : ranges) {
    if (range.begin >= done) {
      out.append(text.substr(done, range.begin - done));
      out.append(kMask);
    }
    done = std::max(done, range.end);
  }
  return out.append(text.substr(done));
}

TEST(Masker, ReplacesASecretAndNothingElse) {
  const SecretSet secrets = set_of({"hunter2-rules"});
  EXPECT_EQ(mask(secrets, "login hunter2-rules ok\n"), "login *** ok\n");
  EXPECT_EQ(mask(secrets, "hunter2-rulehunter2-rules"), "hunter2-rule***");
  EXPECT_EQ(mask(secrets, "hunter2"), "hunter2");
  EXPECT_EQ(mask(secrets, ""), "");
}

TEST(Masker, WithoutSecretsPassesEverythingAtOnce) {
  const SecretSet secrets;
  MaskingStream stream(secrets);
  std::string out;
  stream.feed("text", out);
  EXPECT_EQ(out, "text");
}

TEST(Masker, OverlappingSecretsBecomeOneMaskAndTouchingOnesTwo) {
  const SecretSet secrets = set_of({"alpha-beta", "beta-gamma", "delta-9876"});
  EXPECT_EQ(mask(secrets, "<alpha-beta-gamma>"), "<***>");
  EXPECT_EQ(mask(secrets, "<alpha-betadelta-9876>"), "<******>");
}

TEST(Masker, ASecretWithinAnotherIsOneMask) {
  const SecretSet secrets = set_of({"inner-secret", "outer-inner-secret-outer"});
  EXPECT_EQ(mask(secrets, "outer-inner-secret-outer"), "***");
  EXPECT_EQ(mask(secrets, "outer-inner-secret-oute"), "outer-***-oute");
}

TEST(Masker, HoldsBackOnlyWhatMayBecomeASecret) {
  const SecretSet secrets = set_of({"hunter2-rules"});
  MaskingStream stream(secrets);
  std::string out;
  stream.feed("see: hunter2", out);
  EXPECT_EQ(out, "see: ");
  EXPECT_EQ(stream.held_bytes(), 7U);
  stream.feed("-x", out);
  EXPECT_EQ(out, "see: hunter2-x");
  EXPECT_EQ(stream.held_bytes(), 0U);
  stream.feed("hunter2-rule", out);
  stream.feed("s", out);
  EXPECT_EQ(out, "see: hunter2-x***");
  stream.feed("hunter", out);
  stream.finish(out);
  EXPECT_EQ(out, "see: hunter2-x***hunter");
  EXPECT_EQ(stream.masked_count(), 1U);
}

TEST(Masker, AnEndlessOverlapIsOneMaskInFlatMemory) {
  const SecretSet secrets = set_of({"ab1ab1ab1"});
  MaskingStream stream(secrets);
  std::string out;
  for (int i = 0; i < 100'000; ++i) {
    stream.feed("ab1", out);
    ASSERT_LT(stream.held_bytes(), 9U);
  }
  stream.feed("end", out);
  stream.finish(out);
  EXPECT_EQ(out, "***end");
}

TEST(Masker, AValueAddedLaterMasksWhatIsHeldBack) {
  SecretSet secrets = set_of({"token-abcdefgh-1"});
  MaskingStream stream(secrets);
  std::string out;
  stream.feed("x token-abcdefgh", out);
  ASSERT_EQ(out, "x ");
  EXPECT_EQ(secrets.add("abcdefgh-2"), Weakness::none);
  stream.feed("-2 y", out);
  stream.finish(out);
  EXPECT_EQ(out, "x token-*** y");
}

TEST(Masker, MovingTheSetKeepsItsStreams) {
  SecretSet first = set_of({"hunter2-rules"});
  MaskingStream stream(first);
  const SecretSet second = std::move(first);
  std::string out;
  stream.feed("hunter2-rules", out);
  stream.finish(out);
  EXPECT_EQ(out, "***");
}

TEST(Masker, AddingTheSameValueTwiceCountsOnce) {
  SecretSet secrets = set_of({"hunter2-rules", "hunter2-rules", "hunter2-rules\n"});
  EXPECT_EQ(secrets.size(), 1U);
}

TEST(Masker, BinaryOutputWithZerosIsMaskedToo) {
  const std::string secret("k\0y\xff\xfe-12345", 10);
  const SecretSet secrets = set_of({secret});
  EXPECT_EQ(mask(secrets, std::string("a\0", 2) + secret + "b"), std::string("a\0***b", 6));
}

TEST(Masker, ASecretIsFoundAcrossEscapeSequences) {
  const SecretSet secrets = set_of({"hunter2-rules"});
  EXPECT_EQ(mask(secrets, "x hunter\x1b[31m2-rules\x1b[0m y"), "x ***\x1b[0m y");
  EXPECT_EQ(mask(secrets, "\x1b[1mh\x1b[0mu\x1b[K\x1b(B\x1b[38;2;1;2;3mnter2-rules"), "\x1b[1m***");
  EXPECT_EQ(mask(secrets, "hunter\x1b[2-rules"), "hunter\x1b[2-rules") << "`ESC [ 2 - r` is one sequence";
  EXPECT_EQ(mask(secrets, "hunter\x1b]2-rules"), "hunter\x1b]2-rules") << "viewers show what is no colour";
}

TEST(Masker, ASecretInEscapesMayBeSplitAnywhereAndIsHeldWholly) {
  const SecretSet secrets = set_of({"hunter2-rules"});
  const std::string text = "x hunter\x1b[31m2-rul\x1b[0mes y";
  for (std::size_t at = 0; at <= text.size(); ++at) {
    MaskingStream stream(secrets);
    std::string out;
    stream.feed(std::string_view(text).substr(0, at), out);
    stream.feed(std::string_view(text).substr(at), out);
    stream.finish(out);
    ASSERT_EQ(out, "x *** y") << at;
    ASSERT_EQ(stream.masked_count(), 1U);
  }
}

TEST(Masker, EndlessEscapesAreHeldUpToALimit) {
  const SecretSet secrets = set_of({"hunter2-rules"});
  MaskingStream stream(secrets);
  std::string out;
  std::string text = "hunter2";
  stream.feed(text, out);
  for (int i = 0; i < 100'000; ++i) {
    stream.feed("\x1b[0m", out);
    text += "\x1b[0m";
    ASSERT_LE(stream.held_bytes(), text.find('\x1b') + kLongestEscapes);
  }
  stream.feed("-rules", out);
  stream.finish(out);
  EXPECT_EQ(out, text + "-rules");
}

TEST(Masker, ALongSecretWithAColourForEachCharacterIsFound) {
  std::mt19937 random(11);
  std::string value;
  while (value.size() < 3000) value.push_back(static_cast<char>('!' + random() % 94));
  const SecretSet secrets = set_of({value});
  std::string text;
  for (const char c : value) text += std::string("\x1b[38;5;12m") + c + "\x1b[0m";
  std::string many;
  for (int i = 0; i < 20; ++i) many += text + "\n";  // more than one slice
  std::string expected;
  for (int i = 0; i < 20; ++i) expected += "\x1b[38;5;12m***\x1b[0m\n";
  EXPECT_EQ(mask(secrets, many), expected);
}

struct Case {
  std::vector<std::string> values;
  std::string text;
};

std::string escapes(std::mt19937& random) {
  static const std::vector<std::string> kSome = {"\x1b[31m",
                                                 "\x1b[0m",
                                                 "\x1b[K",
                                                 "\x1b(B",
                                                 "\x1bM",
                                                 "\x1b[",
                                                 "\x1b",
                                                 "\x1b]",
                                                 "\x1b[1;3",
                                                 "\x1b[ab",
                                                 "\x1b[" + std::string(127, '1'),
                                                 "\x1b[" + std::string(124, '2') + "m"};
  std::string made;
  for (std::size_t n = 1 + random() % 4; n > 0; --n) made += kSome[random() % (random() % 3 == 0 ? kSome.size() : 4)];
  return made;
}

/// Few letters, so that secrets overlap with each other and with themselves all the time.
Case random_case(std::mt19937& random) {
  Case made;
  const std::string_view alphabet = random() % 2 == 0 ? "ab1" : "ab1-";
  const auto word = [&](std::size_t length) {
    std::string text;
    while (text.size() < length) text.push_back(alphabet[random() % alphabet.size()]);
    return text;
  };
  for (std::size_t n = 1 + random() % 5; n > 0; --n) {
    const std::string value = word(6 + random() % (random() % 4 == 0 ? 40 : 6));
    if (weakness_of(value) == Weakness::none && trimmed(value) == value) made.values.push_back(value);
  }
  for (std::size_t n = random() % 40; n > 0; --n) {
    made.text += word(random() % 5);
    if (random() % 4 == 0) made.text += escapes(random);
    if (made.values.empty()) continue;
    const std::string& value = made.values[random() % made.values.size()];
    const auto needles = derive_needles(value);
    const std::string& piece = random() % 3 == 0 ? needles[random() % needles.size()] : value;
    const std::string whole = random() % 2 == 0 ? piece : piece.substr(0, random() % piece.size());
    const std::size_t cut = random() % 2 == 0 ? 0 : random() % (whole.size() + 1);
    made.text += whole.substr(0, cut) + (cut > 0 ? escapes(random) : "") + whole.substr(cut);
  }
  return made;
}

TEST(Masker, AnySplitGivesWhatTheNaiveMaskerGives) {
  for (unsigned seed = 0; seed < 4000; ++seed) {
    std::mt19937 random(seed);
    const Case made = random_case(random);
    const SecretSet secrets = set_of(made.values);
    const std::string expected = naive_mask(made.values, made.text);
    ASSERT_EQ(mask(secrets, made.text), expected) << "seed " << seed;
    for (int round = 0; round < 3; ++round) {
      MaskingStream stream(secrets);
      std::string out;
      for (std::string_view rest = made.text; !rest.empty();) {
        const std::size_t size = std::min<std::size_t>(rest.size(), round == 0 ? 1 : random() % 12);
        stream.feed(rest.substr(0, size), out);
        rest.remove_prefix(size);
      }
      stream.finish(out);
      ASSERT_EQ(out, expected) << "seed " << seed << " round " << round;
    }
  }
}

TEST(Masker, ManySecretsInALongTextGiveWhatTheNaiveMaskerGives) {
  std::mt19937 random(5);
  std::vector<std::string> values;
  for (int i = 0; i < 60; ++i) {
    std::string value;
    const std::size_t length = 6 + random() % 60;
    while (value.size() < length) value.push_back(static_cast<char>('!' + random() % 94));
    if (weakness_of(value) == Weakness::none) values.push_back(value);
  }
  const SecretSet secrets = set_of(values);
  std::string text;
  while (text.size() < 400'000) {  // more than one slice
    for (std::size_t n = random() % 200; n > 0; --n) text.push_back(static_cast<char>('!' + random() % 94));
    const auto needles = derive_needles(values[random() % values.size()]);
    text += needles[random() % needles.size()];
  }
  const std::string expected = naive_mask(values, text);
  EXPECT_EQ(mask(secrets, text), expected);
  MaskingStream stream(secrets);
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += 4097) stream.feed(std::string_view(text).substr(at, 4097), out);
  stream.finish(out);
  EXPECT_EQ(out, expected);
}

TEST(Masker, SecretsOfOneIssuerWithTheSameBeginningAreAllFound) {
  SecretSet secrets;
  std::string text;
  for (int i = 0; i < 500; ++i) {
    const std::string token = "ghp_" + std::string(20, 'x') + std::to_string(100'000 + i * 7919);
    ASSERT_EQ(secrets.add(token), Weakness::none);
    text += token + " ";
  }
  std::string expected;
  for (int i = 0; i < 500; ++i) expected += "*** ";
  EXPECT_EQ(mask(secrets, text), expected);
}

TEST(Masker, AddingAThousandSecretsIsQuick) {
  std::mt19937 random(3);
  SecretSet secrets;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) {
    std::string value;
    while (value.size() < 24) value.push_back(static_cast<char>('!' + random() % 94));
    ASSERT_EQ(secrets.add(value), Weakness::none);
  }
  const auto took = std::chrono::steady_clock::now() - start;
  RecordProperty("milliseconds", static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
  EXPECT_LT(took, std::chrono::seconds(5)) << "a bound for sanitizers on a busy machine; the bench has the figure";
}

}  // namespace
}  // namespace slipway::secrets
