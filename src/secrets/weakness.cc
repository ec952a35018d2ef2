#include <algorithm>
#include <array>
#include <bitset>

#include "secrets/needles.h"

namespace slipway::secrets {
namespace {

constexpr std::size_t kLongestPlainNumber = 8;  // ports, dates, sizes, line numbers
constexpr std::size_t kLongestPlainWord = 7;    // of letters only: more likely a word of the log than a secret

/// What people use as a placeholder and what logs are full of. Lower case, sorted.
constexpr auto kCommonWords = std::to_array<std::string_view>({
    "0.0.0.0",    "127.0.0.1", "actions",    "administrator", "artifact",   "artifacts",    "bitbucket",   "building",
    "changeit",   "changeme",  "checkout",   "complete",      "completed",  "configure",    "container",   "database",
    "debian",     "default",   "defaults",   "dependencies",  "deployment", "develop",      "development", "directory",
    "disabled",   "docker",    "enabled",    "environment",   "example",    "example.com",  "executable",  "failed",
    "failure",    "github",    "github.com", "gitlab",        "gitlab.com", "hostname",     "internal",    "kubernetes",
    "latest",     "library",   "linux-gnu",  "localhost",     "makefile",   "master",       "namespace",   "notset",
    "package",    "packages",  "passphrase", "password",      "password1",  "password123",  "passwords",   "postgres",
    "postgresql", "private",   "production", "project",       "public",     "pull_request", "registry",    "release",
    "repository", "resource",  "running",    "runtime",       "secret",     "secrets",      "service",     "services",
    "settings",   "staging",   "starting",   "succeeded",     "success",    "successful",   "template",    "testing",
    "timeout",    "ubuntu",    "undefined",  "unittest",      "unknown",    "username",     "version",     "warning",
    "warnings",   "windows",   "workflow",   "workspace",     "x86_64",
});
static_assert(std::is_sorted(kCommonWords.begin(), kCommonWords.end()));

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }

std::size_t distinct_bytes(std::string_view value) {
  std::bitset<256> seen;
  for (const char c : value) seen.set(static_cast<unsigned char>(c));
  return seen.count();
}

/// `12345678`, `abcdef`, `987654`.
bool is_run(std::string_view value) {
  const int step = value[1] - value[0];
  if (step != 1 && step != -1) return false;
  for (std::size_t i = 1; i < value.size(); ++i) {
    if (value[i] - value[i - 1] != step) return false;
  }
  return true;
}

}  // namespace

Weakness weakness_of(std::string_view value) {
  if (value.size() < kShortestSecret) return Weakness::too_short;
  if (value.size() > kLongestSecret) return Weakness::too_long;
  if (distinct_bytes(value) <= 2 || is_run(value)) return Weakness::too_common;
  if (value.size() <= kLongestPlainNumber && std::all_of(value.begin(), value.end(), is_digit)) {
    return Weakness::too_common;
  }
  if (value.size() <= kLongestPlainWord && std::all_of(value.begin(), value.end(), is_letter)) {
    return Weakness::too_common;
  }
  std::string word(value.substr(0, 32));
  std::transform(word.begin(), word.end(), word.begin(), lower);
  const bool common = value.size() == word.size() && std::binary_search(kCommonWords.begin(), kCommonWords.end(), word);
  return common ? Weakness::too_common : Weakness::none;
}

std::string_view trimmed(std::string_view value) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const std::size_t first = value.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return value.substr(first, value.find_last_not_of(kSpace) - first + 1);
}

}  // namespace slipway::secrets
