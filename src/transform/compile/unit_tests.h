// Unit tests of models: definitions of type test.
#pragma once

#include "transform/compile/draft.h"
#include "transform/compile/table_names.h"

namespace biwa::transform {

// The test of a model. What is wrong goes to the problems of `test`.
UnitTest MakeUnitTest(Draft& test, const Draft& model, const ModelsConfig& settings,
                      const TableNames& names);

}  // namespace biwa::transform
