// A plan for people.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "plan/plan.h"

namespace biwa {

namespace {

// The one line of a short value, or its size in lines.
std::string Show(const std::string& value) {
    constexpr std::size_t kShownMax = 72;
    if (value.empty()) return "(none)";
    const auto lines =
        std::count(value.begin(), value.end(), '\n') + (value.back() != '\n' ? 1 : 0);
    if (lines > 1) return fmt::format("({} lines)", lines);
    auto shown = value.back() == '\n' ? value.substr(0, value.size() - 1) : value;
    if (shown.size() <= kShownMax) return shown;
    shown.resize(kShownMax);
    while (!shown.empty() && !IsValidUtf8(shown)) shown.pop_back();
    return shown + "…";
}

bool IsLong(const std::string& value) { return value.find('\n') < value.size() - 1; }

// Of two long texts, their lines that differ, as a diff has them: what is common at the start and
// at the end is left out.
void AddLines(const FieldChange& change, std::string& text) {
    constexpr std::size_t kLinesMax = 12;
    const auto before = Split(change.before, '\n');
    const auto after = Split(change.after, '\n');
    std::size_t head = 0;
    while (head < before.size() && head < after.size() && before[head] == after[head]) ++head;
    std::size_t tail = 0;
    while (tail + head < before.size() && tail + head < after.size() &&
           before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) {
        ++tail;
    }
    const auto add = [&](const std::vector<std::string>& lines, char sign) {
        const auto end = lines.size() - tail;
        for (auto i = head; i < end && i < head + kLinesMax; ++i) {
            text += fmt::format("        {} {}\n", sign, lines[i]);
        }
        if (end > head + kLinesMax) {
            text += fmt::format("        {} … {} more lines\n", sign, end - head - kLinesMax);
        }
    };
    add(before, '-');
    add(after, '+');
}

void AddStep(const Step& step, std::string& text) {
    const char sign = step.action == StepAction::kCreate   ? '+'
                      : step.action == StepAction::kUpdate ? '~'
                                                           : '-';
    text += fmt::format("{} {} {}", sign, step.kind, step.name);
    if (step.action == StepAction::kUpdate) {
        std::vector<std::string> fields;
        for (const auto& change : step.changes) fields.push_back(change.field);
        text += fields.empty() ? " (dependencies changed)"
                               : fmt::format(" ({} changed)", Join(fields, ", "));
    }
    text += '\n';
    if (!step.warning.empty()) text += fmt::format("    ! {}\n", step.warning);
    if (step.action == StepAction::kDelete) return;
    for (const auto& change : step.changes) {
        if (step.action == StepAction::kCreate) {
            text += fmt::format("    {}: {}\n", change.field, Show(change.after));
        } else if (IsLong(change.before) || IsLong(change.after)) {
            text += fmt::format("    {}:\n", change.field);
            AddLines(change, text);
        } else {
            text += fmt::format("    {}: {} → {}\n", change.field, Show(change.before),
                                Show(change.after));
        }
    }
}

}  // namespace

std::string PlanToText(const Plan& plan) {
    int created = 0, changed = 0, deleted = 0, destructive = 0;
    std::string text;
    for (const auto& step : plan.steps) {
        if (step.action == StepAction::kNothing) continue;
        AddStep(step, text);
        created += step.action == StepAction::kCreate ? 1 : 0;
        changed += step.action == StepAction::kUpdate ? 1 : 0;
        deleted += step.action == StepAction::kDelete ? 1 : 0;
        destructive += step.destructive ? 1 : 0;
    }
    if (text.empty()) return "Nothing to do: what is applied is what the project says.\n";
    text += fmt::format("\n{} to create, {} to change, {} to delete", created, changed, deleted);
    if (destructive > 0) text += fmt::format("; {} drop data or copy it anew (!)", destructive);
    return text + "\n";
}

}  // namespace biwa
