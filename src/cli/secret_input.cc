#include "cli/secret_input.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <boost/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "os/files.h"

namespace slipway::cli {

namespace {

constexpr std::size_t kLongestName = 100;

bool is_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && name.size() <= kLongestName && is_letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

// Reads one dotenv file from front to back.
class Dotenv {
 public:
  explicit Dotenv(std::string_view text) : rest_(text) {}

  Result<std::vector<wire::SecretValue>> read() {
    std::vector<wire::SecretValue> values;
    while (!rest_.empty()) {
      const std::string_view line = trim(rest_.substr(0, rest_.find('\n')));
      if (line.empty() || line.starts_with('#')) {
        skip_line();
        continue;
      }
      SW_TRY(wire::SecretValue value, read_one());
      values.push_back(std::move(value));
      if (values.size() > kMaxSecrets)
        return fail(ErrorKind::exhausted, fmt::format("more than {} secrets", kMaxSecrets));
    }
    return values;
  }

 private:
  std::unexpected<Error> wrong(std::string_view what) const {
    return fail(ErrorKind::invalid, fmt::format("line {}: {}", line_, what));
  }

  void skip_line() {
    const std::size_t end = rest_.find('\n');
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    ++line_;
  }

  Result<wire::SecretValue> read_one() {
    const std::size_t equals = rest_.find_first_of("=\n");
    if (equals == std::string_view::npos || rest_[equals] != '=') return wrong("is not NAME=value");
    std::string_view name = trim(rest_.substr(0, equals));
    if (name.starts_with("export ")) name = trim(name.substr(7));
    // The name may be a value that lost its own: it is not repeated.
    if (!is_name(name)) return wrong("the name is not letters, digits and `_`");
    rest_.remove_prefix(equals + 1);
    while (rest_.starts_with(' ') || rest_.starts_with('\t')) rest_.remove_prefix(1);
    if (rest_.starts_with('"') || rest_.starts_with('\'')) {
      SW_TRY(std::string value, read_quoted(rest_.front()));
      return wire::SecretValue{std::string(name), std::move(value)};
    }
    const std::string value(trim(rest_.substr(0, rest_.find('\n'))));
    skip_line();
    return wire::SecretValue{std::string(name), value};
  }

  Result<std::string> read_quoted(char quote) {
    const int begun = line_;
    rest_.remove_prefix(1);
    std::string value;
    while (!rest_.empty() && rest_.front() != quote) {
      char c = rest_.front();
      if (c == '\n') ++line_;
      if (quote == '"' && c == '\\' && rest_.size() > 1) {
        rest_.remove_prefix(1);
        c = rest_.front();
        if (c == 'n')
          c = '\n';
        else if (c == 't')
          c = '\t';
        else if (c == 'r')
          c = '\r';
      }
      value.push_back(c);
      rest_.remove_prefix(1);
    }
    if (rest_.empty()) {
      line_ = begun;
      return wrong("the quotation is not closed");
    }
    rest_.remove_prefix(1);
    const std::string_view behind = trim(rest_.substr(0, rest_.find('\n')));
    if (!behind.empty() && !behind.starts_with('#')) return wrong("something stands behind the quotation");
    skip_line();
    return value;
  }

  std::string_view rest_;
  int line_ = 1;
};

Result<std::vector<wire::SecretValue>> parse_json(std::string_view text) {
  SW_TRY(const boost::json::object object, parse_object(text, ""));
  std::vector<wire::SecretValue> values;
  for (const auto& [key, member] : object) {
    const std::string name(key);
    if (!is_name(name)) return fail(ErrorKind::invalid, "a name is not letters, digits and `_`");
    if (!member.is_string()) return fail(ErrorKind::invalid, fmt::format("`{}` is not a text", name));
    values.push_back({name, std::string(member.get_string())});
  }
  if (values.size() > kMaxSecrets) return fail(ErrorKind::exhausted, fmt::format("more than {} secrets", kMaxSecrets));
  return values;
}

void set(std::vector<wire::SecretValue>& values, wire::SecretValue value) {
  const auto known = std::ranges::find(values, value.name, &wire::SecretValue::name);
  if (known == values.end())
    values.push_back(std::move(value));
  else
    *known = std::move(value);
}

}  // namespace

Result<std::vector<wire::SecretValue>> parse_secrets(std::string_view text) {
  return trim(text).starts_with('{') ? parse_json(text) : Dotenv(text).read();
}

Result<SecretsGiven> read_secrets(const std::vector<std::string>& names, const std::filesystem::path& file,
                                  const std::map<std::string, std::string>& environment, Prompt& prompt) {
  SecretsGiven given;
  if (!file.empty()) {
    SW_TRY(const os::Fd fd, os::open_file(file, O_RDONLY));
    struct stat status{};
    if (::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0077U) != 0) {
      given.warnings.push_back(fmt::format("{} can be read by others: chmod 600 {}", file.string(), file.string()));
    }
    SW_TRY(const std::string text, os::read_all(fd.get(), kMaxSecretFile));
    auto values = parse_secrets(text);
    if (!values) return wrap(std::move(values).error(), file.string());
    for (wire::SecretValue& value : *values) set(given.values, std::move(value));
  }
  for (const std::string& name : names) {
    if (!is_name(name))
      return fail(ErrorKind::invalid, fmt::format("--secret: `{}` is not letters, digits and `_`", name));
    if (const auto found = environment.find(name); found != environment.end()) {
      set(given.values, {name, found->second});
      continue;
    }
    auto value = prompt.secret(fmt::format("{}: ", name));
    if (!value && value.error().kind == ErrorKind::invalid) {
      return fail(
          ErrorKind::invalid,
          fmt::format("secret {} is not in the environment, and nobody can be asked: set it, or use --secret-file",
                      name));
    }
    if (!value) return std::unexpected(std::move(value).error());
    set(given.values, {name, std::move(*value)});
  }
  return given;
}

}  // namespace slipway::cli
