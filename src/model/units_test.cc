#include "model/units.h"

#include <gtest/gtest.h>

#include "model/settle.h"

namespace slipway::model {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Units, DurationsNeedAUnit) {
  EXPECT_EQ(parse_duration("90s"), seconds(90));
  EXPECT_EQ(parse_duration("1h30m"), seconds(5400));
  EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(parse_duration("7d"), seconds(7 * 86400));
  EXPECT_EQ(parse_duration("10").error().hint, "10s or 10m?");
  for (const char* wrong :
       {"", "m", "10 m", "-1s", "1.5h", "1m1h", "1s1s", "10min", "9999999999999d", "99999999999999999999s", "4000d"}) {
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
  }
}

TEST(Units, SizesTellThousandsFrom1024s) {
  EXPECT_EQ(parse_size("4k"), 4'000U);
  EXPECT_EQ(parse_size("4kB"), 4'000U);
  EXPECT_EQ(parse_size("2GiB"), 2U * 1024 * 1024 * 1024);
  EXPECT_EQ(parse_size("1.5Gi"), 3U * 512 * 1024 * 1024);
  for (const char* wrong : {"", "2", "2g", "2GB B", "-1G", "GiB", "2K", "1e3M", "99999999T", "0M"})
    EXPECT_FALSE(parse_size(wrong)) << wrong;
}

TEST(Units, ProcessorsMayBeThousandths) {
  EXPECT_EQ(parse_cpu("2"), 2.0);
  EXPECT_EQ(parse_cpu("0.5"), 0.5);
  EXPECT_EQ(parse_cpu("500m"), 0.5);
  for (const char* wrong : {"", "0", "-1", "two", "2 cores", "1e9", "5000"}) EXPECT_FALSE(parse_cpu(wrong)) << wrong;
}

TEST(Units, YesIsNotTrue) {
  EXPECT_EQ(parse_boolean("true"), true);
  EXPECT_EQ(parse_boolean("yes").error().hint, "write true");
}

TEST(Settle, PutsLateValuesWhereTheyBelong) {
  JobDefinition job;
  job.steps.resize(2);
  job.late = {{"timeout", Template::of("5m")},
              {"steps.1.continue_on_error", Template::of("true")},
              {"resources.memory", Template::of("1Gi")}};
  ASSERT_TRUE(settle(job, {}));
  EXPECT_EQ(job.timeout, seconds(300));
  EXPECT_TRUE(job.steps[1].continue_on_error);
  EXPECT_EQ(job.resources.memory_bytes, 1U << 30U);
  EXPECT_TRUE(job.late.empty());
}

TEST(Settle, ValueThatIsNoDurationIsAnErrorWithItsPlace) {
  JobDefinition job;
  job.name = "x";
  job.late = {{"timeout", Template::of("10", {"ci.yaml", 4, 9})}};
  EXPECT_EQ(settle(job, {}).error().what, "ci.yaml:4:9: `timeout` of job `x`: `10` has no unit: 10s or 10m?");
}

}  // namespace
}  // namespace slipway::model
