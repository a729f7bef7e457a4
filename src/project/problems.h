// Everything that is wrong with a project, collected so that it can be mended in one go.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "project/project.h"

namespace biwa {

class Problems {
  public:
    // A location without a line means the file as a whole.
    void Add(SourceLocation location, std::string message);
    bool empty() const { return problems_.empty(); }
    std::size_t size() const { return problems_.size(); }

    // By place.
    std::vector<FileProblem> Sorted() const;

  private:
    std::vector<FileProblem> problems_;
};

// One "file:line:column: message" a line. Only when not empty.
Error ToError(const std::vector<FileProblem>& sorted);

// " Did you mean "x"?" or, where nothing is near, " Expected one of: a, b, c."
std::string Suggest(const std::string& name, const std::vector<std::string>& candidates);

}  // namespace biwa
