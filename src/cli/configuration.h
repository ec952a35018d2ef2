#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/options.h"

/// Settings, and where each of their values comes from: built in < /etc/slipway/config.yaml <
/// $XDG_CONFIG_HOME/slipway/config.yaml < $SLIPWAY_CONFIG_KEY < flags. A project's `.slipway/config.yaml` stands
/// right above the built-in values, and only for settings that grant nothing: whoever can push to a repository may not
/// widen what its jobs may do on this machine, nor let them end green without being run. Of a fork's pull request it is
/// not read. No setting is a secret, so all of them may be printed.
namespace slipway::cli {

enum class SettingType { text, flag, number, real, size, time, choice, list };

/// May a project's own file set it?
enum class SettableBy { anyone, operator_only };

struct SettingRow {
  std::string_view key;  ///< dotted where it lies in a mapping: `sandbox.allow_nested`
  SettingType type;
  std::string_view built_in;  ///< as it would be written; empty: none
  SettableBy by;
  std::string_view doc;
  std::string_view choices;                       ///< `native|fake`; only for `choice`
  std::string_view operators_choice;              ///< the one of them that a project may not take; empty: all it may
  std::uint64_t least = 0, most = 1'000'000'000;  ///< only for `number`
};

/// The one table: reader, --print-config, environment names and documentation come from it.
std::span<const SettingRow> setting_rows();

/// `sandbox.allow_nested` → `SLIPWAY_CONFIG_SANDBOX_ALLOW_NESTED`.
std::string environment_name(std::string_view key);

struct Setting {
  std::vector<std::string> items;  ///< one, or for a list any number; canonical text
  std::string origin;              ///< `built in`, `/etc/slipway/config.yaml:3:1`, `$SLIPWAY_CONFIG_IMAGE`, `--image`
};

/// What main and the engine build from; every size in bytes, every path absolute. Empty optionals: no limit set.
struct Settings {
  std::string backend, image;
  std::string image_of_all;  ///< `--image`: in place of every job's; empty: not said
  std::filesystem::path state_dir;
  int max_parallel = 0;  ///< 0: as many as the machine has processors
  std::uint64_t log_cap_bytes = 0, cache_limit_bytes = 0;
  bool require_limits = false, keep = false;
  bool follow_triggers = false, stdout_triggers = false;
  ColourChoice colour = ColourChoice::automatic;
  std::vector<std::string> host_paths;
  bool allow_host_network = false, allow_nested = false;
  std::vector<std::string> allow_devices;  ///< names below /dev
  std::string pull;                        ///< `missing`, `always`, `never`
  std::uint64_t image_bytes = 0;           ///< of all images by name together
  std::optional<std::uint64_t> memory_bytes, disk_bytes, pids;
  std::optional<double> cpus;
  std::uint64_t pool_bytes = 0;  ///< size of the preallocated btrfs pool
  bool source_confine = true;    ///< fetching tools run kept apart from this machine
  std::vector<std::string> source_programs, source_readable;
  std::uint64_t source_limit_bytes = 0;  ///< of one checkout or mirror
  Duration hold_limit{0};                ///< how long a job is held at a break
  std::size_t history_runs = 0;          ///< runs kept; the oldest go first
};

class Configuration {
 public:
  /// Where values may come from. Everything is passed in; nothing is looked up in the process.
  struct Sources {
    std::filesystem::path system_file;   ///< /etc/slipway/config.yaml
    std::filesystem::path user_file;     ///< empty: none
    std::filesystem::path project_file;  ///< empty: none
    /// The project may be a stranger's: its file is not read, and to_text() says so where there is one.
    bool distrusts_project = false;
    std::map<std::string, std::string> environment;
    std::vector<SettingFlag> flags;
    std::filesystem::path default_state_dir;
    std::string state_dir_origin = "built in";
  };

  /// Files that do not exist are no error; all that is wrong in those that do is reported at once, each with
  /// `file:line:column` and the nearest key. Errors: `invalid`; `denied`: a project's file sets what only the operator
  /// may.
  static Result<Configuration> load(const Sources& sources);

  const Settings& settings() const { return settings_; }
  const std::map<std::string, Setting>& values() const { return values_; }

  /// `key: value  # origin`, valid YAML, keys in table order.
  std::string to_text() const;
  /// `{"key": {"value": ..., "origin": "..."}, ...}`
  std::string to_json() const;

  /// The project's file, where it was not read though it exists; else empty.
  const std::filesystem::path& left_out() const { return left_out_; }

 private:
  std::map<std::string, Setting> values_;
  Settings settings_;
  std::filesystem::path left_out_;
};

/// The sources of this process: XDG directories, `environment`, and `.slipway/config.yaml` below `project`.
Configuration::Sources standard_sources(const std::map<std::string, std::string>& environment,
                                        const std::filesystem::path& project, std::vector<SettingFlag> flags);

/// As in definitions (model/units.h): `64MiB`, `2G`, `512k`.
Result<std::uint64_t> parse_size(std::string_view text);
/// `90s`, `10m`, `1h30m`, `30d`, `250ms`.
Result<Duration> parse_duration(std::string_view text);
/// `1.5 MiB`, for people.
std::string size_text(std::uint64_t bytes);

}  // namespace slipway::cli
