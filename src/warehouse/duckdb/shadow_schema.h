#pragma once

#include <memory>

#include "base/result.h"
#include "warehouse/warehouse.h"

namespace biwa::duck {

// In a database of its own, in memory.
Result<std::unique_ptr<ShadowSchema>> MakeShadowSchema();

}  // namespace biwa::duck
