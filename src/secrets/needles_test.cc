#include "secrets/needles.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace slipway::secrets {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Plain base64 with padding, written down independently of the code under test.
std::string base64(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](std::size_t k) { return i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U; };
    const unsigned group = at(0) << 16U | at(1) << 8U | at(2);
    for (unsigned k = 0; k < 4; ++k)
      text.push_back(i + k > bytes.size() ? '=' : kAlphabet[group >> (18 - 6 * k) & 63U]);
  }
  return text;
}

std::string mask(std::string_view secret, std::string_view text) {
  SecretSet secrets;
  EXPECT_EQ(secrets.add(secret), Weakness::none) << secret;
  MaskingStream stream(secrets);
  std::string out;
  stream.feed(text, out);
  stream.finish(out);
  return out;
}

TEST(Needles, Base64IsFoundBehindAndBeforeAnythingButForItsEdges) {
  for (const std::string secret : {"s3cr3t-x", "s3cr3t-xy", "s3cr3t-xyz", "\xff\xfe?>~~\xbf\xff-9"}) {
    for (std::size_t before = 0; before < 7; ++before) {
      for (std::size_t after = 0; after < 4; ++after) {
        std::string text = base64(std::string(before, 'p') + secret + std::string(after, 'q'));
        for (const bool url : {false, true}) {
          if (url) {
            std::replace(text.begin(), text.end(), '+', '-');
            std::replace(text.begin(), text.end(), '/', '_');
          }
          const std::string masked = mask(secret, text);
          const std::size_t at = masked.find("***");
          ASSERT_NE(at, std::string::npos) << text;
          EXPECT_LE(at, (before * 8 + 5) / 6);
          EXPECT_LE(masked.size() - at - 3, (after * 8 + 5) / 6 + 3) << masked;
        }
      }
    }
  }
}

TEST(Needles, Base64ByItselfGoesWithItsPadding) {
  EXPECT_EQ(mask("s3cr3t-x", base64("s3cr3t-x")), "***");
  EXPECT_EQ(mask("s3cr3t-xy", base64("s3cr3t-xy")), "***");
  EXPECT_EQ(mask("s3cr3t-xyz", base64("s3cr3t-xyz")), "***");
}

TEST(Needles, WrappedBase64OfALongSecretIsMaskedLineByLine) {
  std::string secret;
  for (int i = 0; i < 40; ++i) secret += std::to_string(i * i) + "/";
  std::string wrapped = base64(secret);
  for (std::size_t at = 76; at < wrapped.size(); at += 77) wrapped.insert(at, "\n");
  const std::string masked = mask(secret, wrapped);
  EXPECT_EQ(masked, "***\n***\n***");
}

TEST(Needles, PercentEncodingsOfCommonToolsAreFound) {
  const std::string_view secret = "p@ss w/rd!'(x)~*&";
  for (const std::string_view text : {
           "p%40ss%20w%2Frd%21%27%28x%29~%2A%26",  // curl
           "p%40ss%20w%2frd%21%27%28x%29~%2a%26",
           "p%40ss+w%2Frd%21%27%28x%29~%2A%26",  // Python's quote_plus
           "p%40ss%20w/rd%21%27%28x%29~%2A%26",  // Python's quote
           "p%40ss%20w%2Frd!'(x)~*%26",          // encodeURIComponent
           "p%40ss+w%2Frd%21%27%28x%29%7E*%26",  // URLEncoder
           "p@ss%20w/rd!'(x)~*&",                // encodeURI
       }) {
    EXPECT_EQ(mask(secret, text), "***") << text;
  }
}

TEST(Needles, EscapesOfLogCommandsAreFound) {
  EXPECT_EQ(mask("zq%9^kk{7:m", "::error title=zq%259^kk{7%3Am::zq%259^kk{7:m zq%259^kk{7%3am"),
            "::error title=***::*** ***");
  EXPECT_EQ(mask("first-line\nsecond-line", "::error::first-line%0Asecond-line"), "::error::***");
}

TEST(Needles, HexIsFoundInBothCases) { EXPECT_EQ(mask("k-z.jo", "6b2d7a2e6a6f 6B2D7A2E6A6F"), "*** ***"); }

TEST(Needles, JsonStringsOfCommonEncodersAreFound) {
  const std::string_view secret = "a\"b\\c/d\xc3\xa9<\tz\x01";
  for (const std::string_view text : {
           R"(a\"b\\c/dé<\tz\u0001)", R"(a\"b\\c/d\u00e9<\tz\u0001)", R"(a\"b\\c/d\u00E9<\tz\u0001)",
           R"(a\"b\\c\/dé<\tz\u0001)", R"(a\"b\\c\/d\u00e9<\tz\u0001)", R"(a\"b\\c/dé\u003c\tz\u0001)",
           R"(a\\\"b\\\\c/dé<\\tz\\u0001)",  // within another JSON string
       }) {
    EXPECT_EQ(mask(secret, text), "***") << text;
  }
}

TEST(Needles, CharactersBeyondTheBasicPlaneBecomeSurrogates) {
  EXPECT_EQ(mask("key-\xf0\x9f\x94\x91-1", R"(key-\ud83d\udd11-1)"), "***");
}

TEST(Needles, AShellTraceIsFound) {
  EXPECT_EQ(mask("it's $ecret", R"(+ login 'it'\''s $ecret')"), "+ login '***'");
  EXPECT_EQ(mask("it's $ecret", R"(it\'s\ \$ecret)"), "***");
}

TEST(Needles, EachLongLineOfAMultiLineSecretIsMaskedByItself) {
  const std::string_view key =
      "-----BEGIN KEY-----\r\nMIIEvQIBADANBg\r\nshort\r\nkqhkiG9w0BAQ+/\r\n-----END KEY-----\n";
  EXPECT_EQ(mask(key, "x MIIEvQIBADANBg y"), "x *** y");
  EXPECT_EQ(mask(key, "kqhkiG9w0BAQ%2B%2F"), "***");
  EXPECT_EQ(mask(key, "short"), "short");
  EXPECT_EQ(mask(key, std::string(trimmed(key))), "***");
}

TEST(Needles, NoTwoAreEqualAndNoneIsTooShort) {
  for (const std::string_view value : {"abcd1234", "multi line 1\nmulti line 2\nab", "\xff\xfe\xfd\xfc\xfb\xfa"}) {
    auto needles = derive_needles(value);
    EXPECT_TRUE(std::adjacent_find(needles.begin(), needles.end()) == needles.end());
    for (const std::string& needle : needles) EXPECT_GE(needle.size(), kShortestSecret);
  }
}

TEST(Weakness, ShortAndCommonValuesAreRefused) {
  SecretSet secrets;
  for (const std::string_view value : {"", "a", "true", "12345", "  x  ", "abc\n"}) {
    EXPECT_EQ(secrets.add(value), Weakness::too_short) << value;
  }
  for (const std::string_view value : {"password", "Password", "12345678", "87654321", "20240131", "abcdef", "------",
                                       "01010101", "localhost", "foobar", "Server", "production"}) {
    EXPECT_EQ(secrets.add(value), Weakness::too_common) << value;
  }
  EXPECT_EQ(secrets.size(), 0U);
}

TEST(Weakness, OrdinarySecretsAreNot) {
  for (const std::string_view value : {"hunter2", "s3cr3t", "correct horse battery", "ghp_16C7e42F292c6912E7",
                                       "9081726354", "P@ssw0rd", "correcthorse"}) {
    EXPECT_EQ(weakness_of(value), Weakness::none) << value;
  }
}

TEST(Weakness, TooMuchIsRefused) {
  SecretSet secrets;
  std::string value;
  for (std::size_t i = 0; value.size() <= kLongestSecret; ++i) value += std::to_string(i * i);
  EXPECT_EQ(secrets.add(value), Weakness::too_long);
  Weakness last = Weakness::none;
  int added = 0;
  for (; last == Weakness::none && added < 10'000; ++added) {
    last = secrets.add(std::to_string(added) + value.substr(0, kLongestSecret - 10));
  }
  EXPECT_EQ(last, Weakness::too_many);
  EXPECT_GT(added, 20);
}

}  // namespace
}  // namespace slipway::secrets
