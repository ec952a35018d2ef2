#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// The candidate nearest to `word` by edit distance, if one is near enough to be a likely typing mistake.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

/// Does `path` match `pattern`? `*` and `?` stay within one path part, `**` crosses parts, `[a-z]` is a class,
/// `{a,b}` an alternative. A pattern without `/` matches whole names only (`*.md` matches `a.md`, not `d/a.md`).
/// Linear-ish: a pattern has at most 1,024 characters and 64 alternatives, else it matches nothing.
bool glob_match(std::string_view pattern, std::string_view path);

/// The last pattern that matches decides; `!` in front negates. Empty `patterns`: true.
bool matches_filters(const std::vector<std::string>& patterns, std::string_view value);

/// Shows bytes that are not printable UTF-8 as escapes, so that text from a job or a file cannot drive a terminal.
/// Keeps tabs; keeps SGR colour sequences (`ESC [ ... m`) when `colour` says so.
enum class Colour { strip, keep };
std::string printable(std::string_view text, Colour colour);

}  // namespace slipway
