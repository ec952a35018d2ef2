#include "definition/reader.h"

#include <gtest/gtest.h>

namespace slipway::definition {
namespace {

TEST(Reader, ReadsTheSmallestFile) {
  const ReadResult read = read_workflow("job: {run: make}\n", "a.yaml");
  for (const Problem& p : read.problems) ADD_FAILURE() << render(p, "job: {run: make}\n");
  ASSERT_TRUE(read.workflow);
  EXPECT_EQ(read.workflow->jobs.size(), 1U);
}

}  // namespace
}  // namespace slipway::definition
