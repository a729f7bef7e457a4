// Icons of one family: 16 by 16, drawn by strokes in the colour of the text around them.
import type { ReactNode } from "react";

function icon(content: ReactNode) {
  return function Icon() {
    return (
      <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
        {content}
      </svg>
    );
  };
}

export const CheckIcon = icon(<path d="M3.5 8.5l3 3 6-7" />);
export const CrossIcon = icon(<path d="M4 4l8 8M12 4l-8 8" />);
export const AlertIcon = icon(<path d="M8 2.5l6 10.5H2zM8 6.5v3M8 11.3v.2" />);
export const WaitIcon = icon(<path d="M8 4.5V8l2.3 1.5M8 2a6 6 0 100 12A6 6 0 008 2z" />);
export const SyncIcon = icon(
  <path d="M13 7A5.2 5.2 0 003.8 4.8M3 9a5.2 5.2 0 009.2 2.2M3.6 2v3h3M12.4 14v-3h-3" />,
);
export const CopyingIcon = icon(<path d="M8 2.5v8M4.8 7.5L8 10.7l3.2-3.2M3 13.5h10" />);
export const StopIcon = icon(<rect x="4.5" y="4.5" width="7" height="7" rx="1" />);
export const DashIcon = icon(<path d="M4 8h8" />);
export const FlowIcon = icon(
  <path d="M2 5.5c2-1.8 4-1.8 6 0s4 1.8 6 0M2 10.5c2-1.8 4-1.8 6 0s4 1.8 6 0" />,
);
export const ChevronIcon = icon(<path d="M6 3.5L10.5 8 6 12.5" />);
export const SearchIcon = icon(<path d="M7 2.5a4.5 4.5 0 100 9 4.5 4.5 0 000-9zM10.5 10.5l3 3" />);
export const PlayIcon = icon(<path d="M5 3.2v9.6L12.5 8z" fill="currentColor" />);
export const SunIcon = icon(
  <path d="M8 5.2a2.8 2.8 0 100 5.6 2.8 2.8 0 000-5.6zM8 1.5v1.4M8 13.1v1.4M1.5 8h1.4M13.1 8h1.4M3.4 3.4l1 1M11.6 11.6l1 1M3.4 12.6l1-1M11.6 4.4l1-1" />,
);
export const MoonIcon = icon(<path d="M13 9.8A5.5 5.5 0 016.2 3a5.5 5.5 0 106.8 6.8z" />);
export const AutoIcon = icon(
  <>
    <circle cx="8" cy="8" r="5.5" />
    <path d="M8 2.5a5.5 5.5 0 010 11z" fill="currentColor" />
  </>,
);
export const OverviewIcon = icon(<path d="M2.5 13V8M6.2 13V3M9.9 13V6.5M13.6 13V9.5" />);
export const QueryIcon = icon(<path d="M2.5 4.5L6 8l-3.5 3.5M8 12h5.5" />);
export const DashboardIcon = icon(
  <path d="M2.5 2.5h4.5v6H2.5zM9 2.5h4.5v3.5H9zM9 8h4.5v5.5H9zM2.5 10.5h4.5v3H2.5z" />,
);
export const DownloadIcon = icon(<path d="M8 2.5v7M5 7l3 3 3-3M3 13h10" />);
export const TableIcon = icon(<path d="M2.5 3.5h11v9h-11zM2.5 6.5h11M6.5 6.5v6" />);
export const ChartIcon = icon(<path d="M2.5 2.5v11h11M5 10l2.5-3.5L10 8.5l3-4.5" />);
export const HistoryIcon = icon(<path d="M3.2 5.5A5.5 5.5 0 112.5 8M3 2.5v3h3M8 5v3l2 1.5" />);
export const SourceIcon = icon(
  <>
    <ellipse cx="8" cy="4" rx="5" ry="2" />
    <path d="M3 4v8c0 1.1 2.2 2 5 2s5-.9 5-2V4M3 8c0 1.1 2.2 2 5 2s5-.9 5-2" />
  </>,
);
export const ModelIcon = icon(<path d="M8 2l5.5 3v6L8 14l-5.5-3V5zM2.5 5L8 8l5.5-3M8 8v6" />);
