#pragma once

#include <string>
#include <vector>

namespace slipway::cli {

/// One job that a trigger asks for, as far as people are told of it. What the engine makes of it: engine/triggers.h.
struct AskedFor {
  std::string name;
  std::string script;  ///< empty: a template or a job file of that name
};

/// What a trigger's JSON (an object with `jobs`, or one job) asks for; what is no job is left out.
std::vector<AskedFor> read_trigger(const std::string& text);

}  // namespace slipway::cli
