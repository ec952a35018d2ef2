#include "cli/configuration.h"

#include <cstdlib>

#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "os/files.h"
#include "os/test_directory.h"

namespace slipway::cli {
namespace {

class ConfigurationTest : public testing::Test {
 protected:
  void SetUp() override {
    sources_.system_file = directory_ / "system.yaml";
    sources_.user_file = directory_ / "user.yaml";
    sources_.project_file = directory_ / "project.yaml";
    sources_.default_state_dir = "/state";
  }
  void write(const char* name, const char* text) { ASSERT_TRUE(os::replace_file(directory_ / name, text, 0600)); }

  os::TestDirectory directory_;
  Configuration::Sources sources_;
};

TEST_F(ConfigurationTest, EveryRowHasAValueOfItsTypeWithoutAnyFile) {
  const auto loaded = Configuration::load(sources_);
  ASSERT_TRUE(loaded) << loaded.error().what;
  EXPECT_EQ(loaded->values().size(), setting_rows().size());
  EXPECT_EQ(loaded->settings().backend, "native");
  EXPECT_EQ(loaded->settings().state_dir, "/state");
  EXPECT_EQ(loaded->settings().log_cap_bytes, 64U << 20U);
  EXPECT_EQ(loaded->settings().host_paths, (std::vector<std::string>{"/usr", "/etc", "/opt"}));
}

TEST_F(ConfigurationTest, EachSourceOverridesTheOneBelowAndIsNamed) {
  write("project.yaml", "max_parallel: 1\nimage: /a\nlog_cap: 1MiB\ncolor: never\nkeep: true\n");
  write("system.yaml", "max_parallel: 2\nimage: /b\nlog_cap: 2MiB\ncolor: always\n");
  write("user.yaml", "max_parallel: 3\nimage: /c\nlog_cap: 3MiB\n");
  sources_.environment = {{"SLIPWAY_CONFIG_MAX_PARALLEL", "4"}, {"SLIPWAY_CONFIG_IMAGE", "/d"}, {"OTHER", "x"}};
  sources_.flags = {{"max_parallel", "5", "--max-parallel"}};
  const auto loaded = Configuration::load(sources_);
  ASSERT_TRUE(loaded) << loaded.error().what;
  EXPECT_EQ(loaded->settings().max_parallel, 5);
  EXPECT_EQ(loaded->values().at("max_parallel").origin, "--max-parallel");
  EXPECT_EQ(loaded->values().at("image").origin, "$SLIPWAY_CONFIG_IMAGE");
  EXPECT_EQ(loaded->values().at("log_cap").origin, (directory_ / "user.yaml").string() + ":3:1");
  EXPECT_EQ(loaded->values().at("color").origin, (directory_ / "system.yaml").string() + ":4:1");
  EXPECT_EQ(loaded->values().at("keep").origin, (directory_ / "project.yaml").string() + ":5:1");
  EXPECT_EQ(loaded->values().at("backend").origin, "built in");
}

TEST_F(ConfigurationTest, AProjectMayNotWidenWhatItsJobsMayDo) {
  for (const char* text : {"sandbox: {allow_nested: true}\n", "sandbox: {host_paths: [/root]}\n", "state_dir: /x\n",
                           "sandbox:\n  allow_host_network: true\n", "backend: fake\n", "backend: 'fake'\n"}) {
    write("project.yaml", text);
    const auto loaded = Configuration::load(sources_);
    ASSERT_FALSE(loaded) << text;
    EXPECT_EQ(loaded.error().kind, ErrorKind::denied) << text;
  }
  write("project.yaml", "sandbox: {memory: 1GiB, cpu: 1.5}\n");
  const auto loaded = Configuration::load(sources_);
  ASSERT_TRUE(loaded) << loaded.error().what;
  EXPECT_EQ(loaded->settings().memory_bytes, 1U << 30U);
  EXPECT_EQ(loaded->settings().cpus, 1.5);
}

TEST_F(ConfigurationTest, AStrangersProjectIsNotRead) {
  sources_.distrusts_project = true;
  auto loaded = Configuration::load(sources_);
  ASSERT_TRUE(loaded) << loaded.error().what;
  EXPECT_TRUE(loaded->left_out().empty()) << "there is none";
  write("project.yaml", "max_parallel: 1\nimage: /a\nno such: [\n");
  loaded = Configuration::load(sources_);
  ASSERT_TRUE(loaded) << loaded.error().what;
  EXPECT_EQ(loaded->values().at("image").origin, "built in");
  EXPECT_EQ(loaded->left_out(), sources_.project_file);
  EXPECT_NE(loaded->to_text().find("# not read: " + sources_.project_file.string() + "\n"), std::string::npos);
}

TEST_F(ConfigurationTest, AllProblemsOfAFileAreReportedWithTheirPlaces) {
  write("user.yaml",
        "max_paralel: 3\nlog_cap: 64\nbackend: nativ\nsandbox:\n  host_paths: /usr\nkeep: yes\nkeep: true\n");
  const auto loaded = Configuration::load(sources_);
  ASSERT_FALSE(loaded);
  const std::string file = (directory_ / "user.yaml").string();
  EXPECT_EQ(loaded.error().what,
            file + ":1:1: unknown setting `max_paralel`, did you mean `max_parallel`?\n" + file +
                ":2:10: `log_cap`: `64` has no unit: 64MiB or 64GiB?\n" + file +
                ":3:10: `backend`: `nativ` is not one of native, docker, fake; did you mean `native`?\n" + file +
                ":5:15: `sandbox.host_paths` is a list\n" + file + ":6:7: `keep`: `yes` is neither true nor false\n" +
                file + ":7:1: `keep` is set twice");
}

TEST_F(ConfigurationTest, NumbersStayWithinTheirBounds) {
  for (const char* number : {"1025", "1000000000", "99999999999999999999", "-1", "x"}) {
    sources_.flags = {{"max_parallel", number, "--max-parallel"}};
    const auto loaded = Configuration::load(sources_);
    ASSERT_FALSE(loaded) << number;
    EXPECT_TRUE(loaded.error().what.starts_with("--max-parallel: `")) << loaded.error().what;
  }
  sources_.flags = {{"max_parallel", "2000", "--max-parallel"}};
  EXPECT_EQ(Configuration::load(sources_).error().what, "--max-parallel: `2000` is not between 0 and 1024");
  sources_.flags = {{"max_parallel", "1024", "--max-parallel"}};
  EXPECT_EQ(Configuration::load(sources_)->settings().max_parallel, 1024);
}

TEST_F(ConfigurationTest, BrokenYamlAndUnknownVariablesAreErrors) {
  write("user.yaml", "max_parallel: [1\n");
  sources_.environment = {{"SLIPWAY_CONFIG_BACKENDD", "fake"}};
  const auto loaded = Configuration::load(sources_);
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().what.find("user.yaml:2:1: "), std::string::npos) << loaded.error().what;
  EXPECT_NE(
      loaded.error().what.find("$SLIPWAY_CONFIG_BACKENDD: no such setting, did you mean $SLIPWAY_CONFIG_BACKEND?"),
      std::string::npos);
}

TEST_F(ConfigurationTest, PrintsEveryValueWithItsOrigin) {
  sources_.flags = {{"keep", "true", "--keep"}};
  const auto loaded = Configuration::load(sources_);
  ASSERT_TRUE(loaded);
  EXPECT_NE(loaded->to_text().find("keep: true  # --keep\n"), std::string::npos);
  EXPECT_NE(loaded->to_text().find("sandbox.memory: null  # built in\n"), std::string::npos);
  EXPECT_NE(loaded->to_text().find("sandbox.host_paths: [/usr, /etc, /opt]  # built in\n"), std::string::npos);
  const auto json = boost::json::parse(loaded->to_json()).as_object();
  EXPECT_EQ(json.size(), setting_rows().size());
  EXPECT_TRUE(json.at("keep").at("value").as_bool());
  EXPECT_EQ(json.at("keep").at("origin").as_string(), "--keep");
}

TEST(Quantities, TakeUnitsAndRefuseBareNumbers) {
  EXPECT_EQ(parse_size("64MiB").value(), 64U << 20U);
  EXPECT_EQ(parse_size("64Mi").value(), 64U << 20U);
  EXPECT_EQ(parse_size("2k").value(), 2000U);
  EXPECT_EQ(parse_size("1.5G").value(), 1'500'000'000U);
  for (const char* bad : {"", "64", "-1k", "1x", "k", "1e3k", "1 k"}) EXPECT_FALSE(parse_size(bad)) << bad;
  EXPECT_EQ(parse_duration("30d").value(), std::chrono::hours(720));
  EXPECT_EQ(parse_duration("250ms").value(), std::chrono::milliseconds(250));
  EXPECT_FALSE(parse_duration("10"));
}

TEST(Sources, FollowTheBaseDirectorySpecification) {
  const auto sources = standard_sources({{"HOME", "/h"}, {"XDG_STATE_HOME", "relative"}}, "/p", {});
  EXPECT_EQ(sources.user_file, "/h/.config/slipway/config.yaml");
  EXPECT_EQ(sources.default_state_dir, "/h/.local/state/slipway");
  EXPECT_EQ(sources.project_file, "/p/.slipway/config.yaml");
}

}  // namespace
}  // namespace slipway::cli
