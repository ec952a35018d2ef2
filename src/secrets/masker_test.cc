#include "secrets/masker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <vector>

#include "secrets/needles.h"

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

/// What the header promises, without any cleverness: every occurrence of every needle, one mask for what overlaps.
std::string naive_mask(const std::vector<std::string>& values, std::string_view text) {
  struct Range {
    std::size_t begin, end;
  };
  std::vector<Range> ranges;
  for (const std::string& value : values) {
    for (const std::string& needle : derive_needles(trimmed(value))) {
      for (std::size_t at = text.find(needle); at != std::string_view::npos; at = text.find(needle, at + 1)) {
        ranges.push_back({at, at + needle.size()});
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

struct Case {
  std::vector<std::string> values;
  std::string text;
};

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
    if (made.values.empty()) continue;
    const std::string& value = made.values[random() % made.values.size()];
    const auto needles = derive_needles(value);
    const std::string& piece = random() % 3 == 0 ? needles[random() % needles.size()] : value;
    made.text += random() % 2 == 0 ? piece : piece.substr(0, random() % piece.size());
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
