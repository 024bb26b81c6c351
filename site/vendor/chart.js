/* What leaderboards draw with; whatever else Plot and d3 hold is left out of the bundle. */
export { axisX, axisY, dot, gridY, line, plot, ruleX } from "@observablehq/plot";
