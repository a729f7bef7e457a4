import { useState } from "react";
import { usePreferences } from "../ui/preferences";

export function CopyButton({ text }: { text: string }) {
  const { t } = usePreferences();
  const [said, setSaid] = useState("");
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setSaid(t("copied_text")),
      () => setSaid(t("copy_failed")),
    );
  return (
    <div className="copy">
      <span role="status" className="faint">
        {said}
      </span>
      <button type="button" className="quiet" onClick={copy}>
        {t("copy_sql")}
      </button>
    </div>
  );
}
