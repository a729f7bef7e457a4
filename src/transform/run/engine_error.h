// What the engine says is wrong with a model's SQL, said of the model's file.
#pragma once

#include "base/result.h"
#include "transform/compile/graph.h"

namespace biwa::transform {

// Puts "file:line: " in front, and the file's line where the engine says "LINE 3: …". The statement
// that failed had `lines_before` lines in front of `sql`.
Error InFile(Error error, const Action& action, const SqlText& sql, int lines_before);

// The engine had not as much memory as it needed.
bool IsOutOfMemory(const Error& error);

}  // namespace biwa::transform
