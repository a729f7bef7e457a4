#include "replication/reconciliation.h"

namespace biwa {

std::string DifferingKey::ToString() const {
    if (key.size() == 1) return key[0];
    std::string text = "(";
    for (const auto& part : key) text += (text.size() == 1 ? "" : ", ") + part;
    return text + ")";
}

std::string_view ToString(RowDifference difference) {
    switch (difference) {
        case RowDifference::kMissing:
            return "missing";
        case RowDifference::kExtra:
            return "extra";
        case RowDifference::kDifferent:
            return "different";
    }
    return "unknown";
}

std::string_view ToString(TableComparison::Outcome outcome) {
    switch (outcome) {
        case TableComparison::Outcome::kEqual:
            return "equal";
        case TableComparison::Outcome::kDiffers:
            return "differs";
        case TableComparison::Outcome::kRepaired:
            return "repaired";
        case TableComparison::Outcome::kNotCompared:
            return "not_compared";
        case TableComparison::Outcome::kNotComparable:
            return "not_comparable";
    }
    return "unknown";
}

}  // namespace biwa
