#include "cli/doctor.h"

#include "base/text.h"
#include "cli/json_writer.h"
#include "cli/terminal_text.h"

namespace slipway::cli {

namespace {

std::string_view health_name(Health health) {
  switch (health) {
    case Health::note: return "note";
    case Health::good: return "good";
    case Health::degraded: return "degraded";
    case Health::broken: return "broken";
  }
  return "broken";
}

Mark mark_of(Health health) {
  if (health == Health::note) return Mark::pending;
  return health == Health::good ? Mark::succeeded : health == Health::degraded ? Mark::allowed_failure : Mark::failed;
}

}  // namespace

Health worst_of(const std::vector<Check>& checks) {
  Health worst = Health::good;
  for (const Check& check : checks) worst = std::max(worst, check.health);
  return worst;
}

std::string doctor_text(const std::vector<Check>& checks, bool colour) {
  std::string text;
  for (const Check& check : checks) {
    text += fmt::format("{} {:<28} {}\n", symbol(mark_of(check.health), colour), printable(check.name, Colour::strip),
                        printable(check.detail, Colour::strip));
    if (check.fix.empty()) continue;
    for (const std::string_view line : split(check.fix, '\n'))
      text += fmt::format("    {}\n", printable(line, Colour::strip));
  }
  switch (worst_of(checks)) {
    case Health::note:
    case Health::good: return text + "\nEverything that Slipway can use is there.\n";
    case Health::degraded: return text + "\nJobs run; what is marked is missing or weaker.\n";
    case Health::broken: break;
  }
  return text + "\nJobs cannot run in native sandboxes here until what is marked ✗ is put right.\n";
}

std::string doctor_json(const std::vector<Check>& checks) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().field("health", health_name(worst_of(checks))).begin_array("checks");
  for (const Check& check : checks) {
    json.begin_object()
        .field("name", check.name)
        .field("health", health_name(check.health))
        .field("detail", check.detail);
    json.field("fix", check.fix).end_object();
  }
  json.end_array().end_object();
  return text + "\n";
}

}  // namespace slipway::cli
