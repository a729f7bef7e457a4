#include "project/problems.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/check.h"
#include "base/text.h"

namespace biwa {

namespace {
// More than these nobody reads at once.
constexpr std::size_t kShownMax = 100;
}  // namespace

std::string SourceLocation::ToString() const {
    return line == 0 ? file : fmt::format("{}:{}:{}", file, line, column);
}

void Problems::Add(SourceLocation location, std::string message) {
    problems_.push_back({std::move(location), std::move(message)});
}

std::vector<FileProblem> Problems::Sorted() const {
    auto sorted = problems_;
    std::stable_sort(sorted.begin(), sorted.end(), [](const FileProblem& a, const FileProblem& b) {
        return std::tie(a.location.file, a.location.line, a.location.column) <
               std::tie(b.location.file, b.location.line, b.location.column);
    });
    return sorted;
}

Error ToError(const std::vector<FileProblem>& sorted) {
    BIWA_CHECK(!sorted.empty());
    std::string text;
    for (std::size_t i = 0; i < std::min(sorted.size(), kShownMax); ++i) {
        if (i > 0) text += '\n';
        text += sorted[i].location.ToString() + ": " + sorted[i].message;
    }
    if (sorted.size() > kShownMax)
        text += fmt::format("\n… and {} more", sorted.size() - kShownMax);
    return {ErrorKind::kUser, std::move(text), {}};
}

std::string Suggest(const std::string& name, const std::vector<std::string>& candidates) {
    if (const auto meant = DidYouMean(name, candidates); !meant.empty()) {
        return fmt::format(" Did you mean \"{}\"?", meant);
    }
    if (candidates.empty()) return "";
    return fmt::format(" Expected one of: {}.", Join(candidates, ", "));
}

}  // namespace biwa
