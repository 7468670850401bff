"""The page of a report: verdicts, pictures, plots and figures in one file that needs no other."""
