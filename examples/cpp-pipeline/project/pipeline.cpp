// A pipeline in C++: steps at once, outputs, what other jobs did. See docs/cpp.md.
#include <iostream>

#include "slipway.hpp"

int main() {
  try {
    slipway::set_output("version", "1.2.3");
    {
      const slipway::Group folded("what is known of the source");
      std::cout << slipway::is_job_running("deploy") << std::endl;
    }
    const auto results = slipway::parallel({{"unit", {"echo", "unit tests of $ü\"\\"}}, slipway::script("lint", "exit 3")});
    results[0].or_throw();
    slipway::annotate("lint is only a remark", "warning");
    const auto build = slipway::run_step("build", "slipway output name app; exit 0").or_throw();
    const auto deploy = slipway::get_job_result("no such deploy");
    std::cout << "lint " << results[1].outcome << ", version 1.2.3, deploy was "
              << (deploy ? deploy->outcome : std::string("never run")) << std::endl;
    return build.outputs.at("name") == "app" ? 0 : 1;
  } catch (const slipway::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
