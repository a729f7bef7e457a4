// Unit tests of models: definitions of type test.
#pragma once

#include "transform/compile/action_sql.h"

namespace biwa::transform {

// The test of a model. What is wrong goes to the problems of `test`.
UnitTest MakeUnitTest(Draft& test, Draft& model, const SqlSources& sources);

}  // namespace biwa::transform
