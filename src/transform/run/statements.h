// What is looked at in an author's SQL before it is run.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "transform/compile/graph.h"

namespace biwa::transform {

// The word that begins the first statement that would begin or end a transaction, such as "COMMIT";
// empty where there is none. A build is one transaction, and no part of it may come before the
// whole.
std::string TransactionWord(std::string_view sql);
// kUser where there is one.
Status CheckIsNoTransaction(std::string_view sql);

// The action has statements of its own beside a query: they may leave temporary tables, variables
// and settings on their connection.
bool HasStatements(const Action& action);

}  // namespace biwa::transform
