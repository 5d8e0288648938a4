"""Operations: the dashboard, the diagnosis and the timelines that the admin shows."""
