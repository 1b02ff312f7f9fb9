/// The look of a report: light, and the same on paper.
enum HTMLStyle {
    static let text = """
        :root { color-scheme: light; }
        * { box-sizing: border-box; }
        body { margin: 0; background: #fff; color: #1f2328;
          font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
        main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 48px; }
        h1 { font-size: 26px; line-height: 1.25; margin: 0 0 6px; overflow-wrap: anywhere; }
        h2 { font-size: 18px; margin: 34px 0 12px; padding-bottom: 4px;
          border-bottom: 1px solid #d0d7de; }
        header p { margin: 0; color: #57606a; overflow-wrap: anywhere; }
        ul { margin: 8px 0; padding-left: 22px; }
        .warnings { margin-top: 20px; padding: 4px 16px 8px; border: 1px solid #d4a72c;
          border-left-width: 5px; background: #fff8e5; border-radius: 4px; }
        .warnings h2 { margin: 8px 0 2px; border: 0; }
        .panels { display: grid; gap: 18px;
          grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
        .panel { margin: 0; padding: 12px 14px 8px; border: 1px solid #d0d7de; border-radius: 6px;
          display: flex; flex-direction: column; min-width: 0; break-inside: avoid; }
        figcaption span { color: #57606a; font-size: 13px; }
        .panel > svg { display: block; width: 100%; height: auto; margin-top: auto; }
        .legend { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 2px 0 0;
          padding: 0; font-size: 13px; }
        .legend li { overflow-wrap: anywhere; }
        .key { width: 24px; height: 8px; margin-right: 6px; fill: none; }
        svg text { font: 12px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #57606a; }
        svg text.row { fill: #1f2328; }
        svg text.note { font-weight: 600; paint-order: stroke; stroke: #fff; stroke-width: 3px; }
        .grid { stroke: #e6e9ed; fill: none; }
        .axis { stroke: #8c959f; fill: none; }
        .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round; }
        .mark { fill: none; stroke-width: 1.4; stroke-dasharray: 6 3; }
        .span { fill: none; stroke-width: 2; }
        .bar { stroke: none; }
        .table { overflow-x: auto; }
        table { border-collapse: collapse; font-size: 13.5px; width: 100%; }
        th, td { padding: 5px 9px; border-bottom: 1px solid #e6e9ed; text-align: right;
          vertical-align: top; }
        th:first-child, .text th, .text td { text-align: left; overflow-wrap: anywhere; }
        .figures th:first-child { min-width: 7em; }
        .figures td { white-space: nowrap; font-variant-numeric: tabular-nums; }
        .text th, .text td:nth-child(2) { white-space: nowrap; }
        .text td:last-child { width: 100%; }
        thead th { color: #57606a; font-weight: 600; border-bottom-color: #8c959f; }
        tbody th { font-weight: 600; }
        .note { color: #57606a; font-size: 13px; margin: 6px 0; }
        @page { size: A4; margin: 12mm; }
        @media print {
          body { font-size: 12px; }
          main { max-width: none; padding: 0; }
          h2 { break-after: avoid; margin-top: 20px; }
          .panels { grid-template-columns: 1fr 1fr; gap: 10px; }
          table { font-size: 9.5px; }
          th, td { padding: 3px 4px; }
          .table { overflow: visible; }
          .figures td, .text th, .text td:nth-child(2) { white-space: normal; }
          .warnings, .panel, .bar, .line { print-color-adjust: exact; }
        }
        """
}
