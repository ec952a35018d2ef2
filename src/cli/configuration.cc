#include "cli/configuration.h"

#include <cctype>
#include <charconv>

#include <yaml-cpp/yaml.h>
#include <boost/json.hpp>

#include "base/text.h"
#include "os/files.h"

namespace slipway::cli {

namespace {

constexpr std::size_t kMaxFileBytes = 1U << 20U;
constexpr std::size_t kMaxListItems = 256;

const SettingRow* find_row(std::string_view key) {
  const auto rows = setting_rows();
  const auto found = std::ranges::find(rows, key, &SettingRow::key);
  return found == rows.end() ? nullptr : &*found;
}

std::vector<std::string> words_of(std::string_view text, char separator) {
  std::vector<std::string> words;
  for (const std::string_view word : split(text, separator)) {
    if (!trim(word).empty()) words.emplace_back(trim(word));
  }
  return words;
}

Result<void> check_item(const SettingRow& row, const std::string& text) {
  switch (row.type) {
    case SettingType::text:
      if (text.empty()) return fail(ErrorKind::invalid, "is empty");
      return {};
    case SettingType::list:
      if (!text.starts_with('/')) return fail(ErrorKind::invalid, fmt::format("`{}` is not an absolute path", text));
      return {};
    case SettingType::flag:
      if (text == "true" || text == "false") return {};
      return fail(ErrorKind::invalid, fmt::format("`{}` is neither true nor false", text));
    case SettingType::number: {
      std::uint64_t number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      const bool is_number = end == text.data() + text.size() && error != std::errc::invalid_argument;
      if (!is_number) return fail(ErrorKind::invalid, fmt::format("`{}` is not a whole number", text));
      if (error == std::errc() && number >= row.least && number <= row.most) return {};
      return fail(ErrorKind::invalid, fmt::format("`{}` is not between {} and {}", text, row.least, row.most));
    }
    case SettingType::real: {
      double number = 0;
      const auto [end, error] =
          std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
      if (error == std::errc() && end == text.data() + text.size() && number > 0 && number < 1e6) return {};
      return fail(ErrorKind::invalid, fmt::format("`{}` is not a positive number", text));
    }
    case SettingType::size: {
      SW_CHECK(parse_size(text));
      return {};
    }
    case SettingType::time: {
      SW_TRY(const Duration time, parse_duration(text));
      if (time > Duration(0)) return {};
      return fail(ErrorKind::invalid, "is no time at all");
    }
    case SettingType::choice: {
      const std::vector<std::string> choices = words_of(row.choices, '|');
      if (std::ranges::find(choices, text) != choices.end()) return {};
      const auto near = nearest(text, choices);
      return fail(ErrorKind::invalid, fmt::format("`{}` is not one of {}{}", text, fmt::join(choices, ", "),
                                                  near ? fmt::format("; did you mean `{}`?", *near) : ""));
    }
  }
  return {};
}

Result<Setting> checked(const SettingRow& row, std::vector<std::string> items, std::string origin) {
  if (items.size() > kMaxListItems) return fail(ErrorKind::invalid, fmt::format("more than {} items", kMaxListItems));
  for (const std::string& item : items) SW_CHECK(check_item(row, item));
  return Setting{std::move(items), std::move(origin)};
}

// Reads one file; collects every problem instead of stopping at the first.
class FileReader {
 public:
  FileReader(std::string name, bool is_project, std::map<std::string, Setting>& values,
             std::vector<std::string>& problems)
      : name_(std::move(name)), is_project_(is_project), values_(values), problems_(problems) {}

  bool saw_denied() const { return saw_denied_; }

  void read(const std::string& text) {
    try {
      const std::vector<YAML::Node> documents = YAML::LoadAll(text);
      if (documents.empty() || documents.front().IsNull()) return;
      if (documents.size() > 1) return add({}, "more than one document");
      if (!documents.front().IsMap()) return add(documents.front().Mark(), "is not a mapping of settings");
      read_map(documents.front(), "");
    } catch (const YAML::Exception& error) {
      add(error.mark, error.msg);
    }
  }

 private:
  std::string place(const YAML::Mark& mark) const {
    return mark.line < 0 ? name_ : fmt::format("{}:{}:{}", name_, mark.line + 1, mark.column + 1);
  }
  void add(const YAML::Mark& mark, const std::string& what) { problems_.push_back(place(mark) + ": " + what); }

  void read_map(const YAML::Node& map, const std::string& prefix) {
    std::vector<std::string> seen;
    for (const auto& entry : map) {
      if (!entry.first.IsScalar()) {
        add(entry.first.Mark(), "a setting's name must be text");
        continue;
      }
      const std::string key = prefix + entry.first.Scalar();
      if (std::ranges::find(seen, key) != seen.end()) {
        add(entry.first.Mark(), fmt::format("`{}` is set twice", key));
        continue;
      }
      seen.push_back(key);
      read_entry(key, entry.first.Mark(), entry.second);
    }
  }

  void read_entry(const std::string& key, const YAML::Mark& mark, const YAML::Node& value) {
    const auto rows = setting_rows();
    const bool is_group =
        std::ranges::any_of(rows, [&](const SettingRow& row) { return row.key.starts_with(key + "."); });
    if (is_group && value.IsMap()) return read_map(value, key + ".");
    if (is_group) return add(value.Mark(), fmt::format("`{}` is a mapping of settings", key));
    const SettingRow* row = find_row(key);
    if (row == nullptr) {
      std::vector<std::string> keys;
      for (const SettingRow& known : rows) keys.emplace_back(known.key);
      const auto near = nearest(key, keys);
      return add(mark,
                 fmt::format("unknown setting `{}`{}", key, near ? fmt::format(", did you mean `{}`?", *near) : ""));
    }
    if (is_project_ && row->by == SettableBy::operator_only) {
      saw_denied_ = true;
      return add(mark, fmt::format("`{}` can only be set by whoever runs this machine, not by a project", key));
    }
    if (is_project_ && !row->operators_choice.empty() && value.IsScalar() && value.Scalar() == row->operators_choice) {
      saw_denied_ = true;
      return add(value.Mark(), fmt::format("`{}: {}` can only be set by whoever runs this machine, not by a project",
                                           key, row->operators_choice));
    }
    set(*row, mark, value);
  }

  void set(const SettingRow& row, const YAML::Mark& mark, const YAML::Node& value) {
    std::vector<std::string> items;
    if (row.type == SettingType::list && value.IsSequence()) {
      for (const YAML::Node& item : value) {
        if (!item.IsScalar()) return add(item.Mark(), fmt::format("`{}` is a list of text", row.key));
        items.push_back(item.Scalar());
      }
    } else if (row.type != SettingType::list && value.IsScalar()) {
      items.push_back(value.Scalar());
    } else {
      return add(value.Mark(),
                 fmt::format("`{}` is {}", row.key, row.type == SettingType::list ? "a list" : "one value"));
    }
    auto setting = checked(row, std::move(items), place(mark));
    if (!setting) return add(value.Mark(), fmt::format("`{}`: {}", row.key, setting.error().what));
    values_.insert_or_assign(std::string(row.key), std::move(*setting));
  }

  std::string name_;
  bool is_project_;
  std::map<std::string, Setting>& values_;
  std::vector<std::string>& problems_;
  bool saw_denied_ = false;
};

Result<void> read_one_text(const SettingRow& row, const std::string& text, const std::string& origin,
                           std::map<std::string, Setting>& values) {
  std::vector<std::string> items = row.type == SettingType::list ? words_of(text, ':') : std::vector{text};
  auto setting = checked(row, std::move(items), origin);
  if (!setting) return wrap(std::move(setting).error(), origin);
  values.insert_or_assign(std::string(row.key), std::move(*setting));
  return {};
}

void read_environment(const std::map<std::string, std::string>& environment, std::map<std::string, Setting>& values,
                      std::vector<std::string>& problems) {
  constexpr std::string_view kPrefix = "SLIPWAY_CONFIG_";
  std::map<std::string, const SettingRow*> names;
  for (const SettingRow& row : setting_rows()) names.emplace(environment_name(row.key), &row);
  for (auto entry = environment.lower_bound(std::string(kPrefix)); entry != environment.end(); ++entry) {
    const auto& [name, value] = *entry;
    if (!name.starts_with(kPrefix)) break;
    const auto known = names.find(name);
    if (known == names.end()) {
      std::vector<std::string> candidates;
      for (const auto& [candidate, row] : names) candidates.push_back(candidate);
      const auto near = nearest(name, candidates);
      problems.push_back(
          fmt::format("${}: no such setting{}", name, near ? fmt::format(", did you mean ${}?", *near) : ""));
      continue;
    }
    if (auto set = read_one_text(*known->second, value, "$" + name, values); !set) problems.push_back(set.error().what);
  }
}

// What the table's rows mean; every text was checked before.
Settings settings_of(const std::map<std::string, Setting>& values) {
  const auto text = [&](const char* key) {
    const auto found = values.find(key);
    return found == values.end() || found->second.items.empty() ? std::string() : found->second.items.front();
  };
  const auto number = [&](const char* key) { return std::strtoull(text(key).c_str(), nullptr, 10); };
  const auto size = [&](const char* key) { return parse_size(text(key)).value_or(0); };
  const auto is_on = [&](const char* key) { return text(key) == "true"; };
  Settings settings;
  settings.backend = text("backend");
  settings.image = text("image");
  settings.state_dir = text("state_dir");
  settings.max_parallel = static_cast<int>(number("max_parallel"));
  settings.log_cap_bytes = size("log_cap");
  settings.cache_limit_bytes = size("cache_limit");
  settings.require_limits = is_on("require_limits");
  settings.keep = is_on("keep");
  settings.follow_triggers = is_on("triggers.follow");
  settings.stdout_triggers = is_on("triggers.allow_stdout");
  const std::string colour = text("color");
  settings.colour = colour == "always"  ? ColourChoice::always
                    : colour == "never" ? ColourChoice::never
                                        : ColourChoice::automatic;
  settings.host_paths = values.at("sandbox.host_paths").items;
  settings.allow_host_network = is_on("sandbox.allow_host_network");
  settings.allow_nested = is_on("sandbox.allow_nested");
  settings.allow_devices = values.at("sandbox.allow_devices").items;
  settings.pull = text("images.pull");
  settings.image_bytes = size("images.size");
  if (!text("sandbox.memory").empty()) settings.memory_bytes = size("sandbox.memory");
  if (!text("sandbox.disk").empty()) settings.disk_bytes = size("sandbox.disk");
  if (!text("sandbox.pids").empty()) settings.pids = number("sandbox.pids");
  if (!text("sandbox.cpu").empty()) settings.cpus = std::strtod(text("sandbox.cpu").c_str(), nullptr);
  settings.pool_bytes = size("sandbox.pool");
  settings.source_confine = is_on("source.confine");
  settings.source_programs = values.at("source.programs").items;
  settings.source_readable = values.at("source.readable").items;
  settings.source_limit_bytes = size("source.limit");
  settings.hold_limit = parse_duration(text("hold")).value_or(Duration(0));
  settings.history_runs = number("history.runs");
  return settings;
}

}  // namespace

std::string environment_name(std::string_view key) {
  std::string name = "SLIPWAY_CONFIG_";
  for (const char c : key) name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

Result<Configuration> Configuration::load(const Sources& sources) {
  Configuration configuration;
  std::map<std::string, Setting>& values = configuration.values_;
  for (const SettingRow& row : setting_rows()) {
    Setting setting{.items = {}, .origin = "built in"};
    if (row.type == SettingType::list)
      setting.items = words_of(row.built_in, ' ');
    else if (!row.built_in.empty())
      setting.items = {std::string(row.built_in)};
    values.emplace(row.key, std::move(setting));
  }
  values.at("state_dir") = {.items = {sources.default_state_dir.string()}, .origin = sources.state_dir_origin};

  std::vector<std::string> problems;
  bool denied = false;
  // Later files override earlier ones: the project stands below both of the machine's.
  for (const std::filesystem::path& file : {sources.project_file, sources.system_file, sources.user_file}) {
    if (file.empty()) continue;
    if (sources.distrusts_project && file == sources.project_file) {
      std::error_code unreadable;
      const auto found = std::filesystem::symlink_status(file, unreadable);
      if (std::filesystem::exists(found)) configuration.left_out_ = file;
      continue;
    }
    const auto text = os::read_file(file, kMaxFileBytes);
    if (!text && text.error().kind == ErrorKind::not_found) continue;
    if (!text) {
      problems.push_back(text.error().what);
      continue;
    }
    FileReader reader(file.string(), file == sources.project_file, values, problems);
    reader.read(*text);
    denied = denied || reader.saw_denied();
  }
  read_environment(sources.environment, values, problems);
  for (const SettingFlag& flag : sources.flags) {
    const SettingRow* row = find_row(flag.key);
    SW_ASSERT(row != nullptr, "a flag sets a setting that is in the table");
    if (auto set = read_one_text(*row, flag.value, flag.flag, values); !set) problems.push_back(set.error().what);
  }
  if (!problems.empty()) return fail(denied ? ErrorKind::denied : ErrorKind::invalid, join(problems, "\n"));
  configuration.settings_ = settings_of(values);
  for (const SettingFlag& flag : sources.flags) {
    if (flag.key == "image") configuration.settings_.image_of_all = flag.value;
  }
  if (configuration.settings_.state_dir.is_relative()) {
    configuration.settings_.state_dir = std::filesystem::absolute(configuration.settings_.state_dir);
    values.at("state_dir").items = {configuration.settings_.state_dir.string()};
  }
  return configuration;
}

std::string Configuration::to_text() const {
  std::string text;
  for (const SettingRow& row : setting_rows()) {
    const Setting& setting = values_.at(std::string(row.key));
    std::string value =
        row.type == SettingType::list ? fmt::format("[{}]", join(setting.items, ", ")) : join(setting.items, "");
    if (value.empty()) value = "null";
    text += fmt::format("{}: {}  # {}\n", row.key, value, setting.origin);
  }
  if (!left_out_.empty()) text += fmt::format("# not read: {}\n", printable(left_out_.string(), Colour::strip));
  return text;
}

std::string Configuration::to_json() const {
  boost::json::object all;
  for (const SettingRow& row : setting_rows()) {
    const Setting& setting = values_.at(std::string(row.key));
    boost::json::value value;
    const std::string text = setting.items.empty() ? std::string() : setting.items.front();
    if (row.type == SettingType::list)
      value = boost::json::array(setting.items.begin(), setting.items.end());
    else if (setting.items.empty())
      value = nullptr;
    else if (row.type == SettingType::flag)
      value = text == "true";
    else if (row.type == SettingType::number)
      value = std::strtoull(text.c_str(), nullptr, 10);
    else if (row.type == SettingType::real)
      value = std::strtod(text.c_str(), nullptr);
    else
      value = text;
    all[row.key] = boost::json::object{{"value", std::move(value)}, {"origin", setting.origin}};
  }
  return boost::json::serialize(all) + "\n";
}

Configuration::Sources standard_sources(const std::map<std::string, std::string>& environment,
                                        const std::filesystem::path& project, std::vector<SettingFlag> flags) {
  const auto value = [&](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
  };
  const std::filesystem::path home = value("HOME").empty() ? "/" : value("HOME");
  // A relative XDG path is to be ignored, says their specification.
  const auto directory = [&](const char* name, const char* below_home) {
    const std::filesystem::path given = value(name);
    return given.is_absolute() ? given : home / below_home;
  };
  Configuration::Sources sources;
  sources.system_file = "/etc/slipway/config.yaml";
  sources.user_file = directory("XDG_CONFIG_HOME", ".config") / "slipway/config.yaml";
  if (!project.empty()) sources.project_file = project / ".slipway/config.yaml";
  sources.environment = environment;
  sources.flags = std::move(flags);
  sources.default_state_dir = directory("XDG_STATE_HOME", ".local/state") / "slipway";
  if (std::filesystem::path(value("XDG_STATE_HOME")).is_absolute()) sources.state_dir_origin = "$XDG_STATE_HOME";
  return sources;
}

}  // namespace slipway::cli
