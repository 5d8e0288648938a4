"""A separate program that asks TikTok in its own manner: gallery-dl, installed by an admin.

Nothing here is imported or started unless it is installed. gallery_dl.py runs it, launcher.py shuts
it in, endings.py reads how it ended, installed.py knows where it is, smoke.py tries it out.
"""
